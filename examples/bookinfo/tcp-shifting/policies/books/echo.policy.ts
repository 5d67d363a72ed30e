import { echo, shell } from './echo.services.policy';

export const shellTalks = echo.ports.echo.allow({ from: shell });
// Connections, not bytes: whoever is connected stays where he is.
export const echoRoutes = echo.ports.echo.route({ otherwise: { to: { v1: 80, v2: 20 }, idle: '1h' } });
