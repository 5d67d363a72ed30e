/** What a Release's `compiler` says. A test holds it to package.json. */
export const compilerName = 'meshwright@0.1.0';
