/** `192.0.2.1:443`, `name.example:443`, `[2001:db8::1]:443`: the form that URLs and gRPC read; of an IPv6 address without brackets nobody can tell where the port begins. */
export const hostPort = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
