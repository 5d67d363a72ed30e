/** The provider's version: a change of what it keeps in the state, or of what it does with it, raises it. */
export const pluginVersion = '0.1.0';
