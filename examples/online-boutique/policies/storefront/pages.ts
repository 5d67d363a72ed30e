/** What the frontend serves to browsers; its health check (`/_healthz`) is for whoever runs it. */
export const pages = [
  'GET /',
  'GET /product/{id}',
  'GET /cart',
  'POST /cart',
  'POST /cart/empty',
  'POST /cart/checkout',
  'POST /setCurrency',
  'GET /logout',
  'GET /static/{file...}',
  'GET /robots.txt',
] as const;
