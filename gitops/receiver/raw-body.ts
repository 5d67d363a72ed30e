import type { NextFunction, Request, RequestHandler, Response } from 'express';

/**
 * Leaves the raw bytes of the body in `response.locals.body`. One byte more than `limit` is answered 413 at once and the connection is closed: a sender
 * that never ends is not read to the end. What is compressed is refused, since the signature is over the bytes as they were sent.
 */
export function rawBody(limit: number): RequestHandler {
  return (request: Request, response: Response, next: NextFunction): void => {
    const chunks: Buffer[] = [];
    let size = 0;
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      request.off('data', onData).off('end', onEnd).pause();
      response
        .status(413)
        .set('connection', 'close')
        .json({ error: `the body is larger than ${limit} bytes` });
      response.once('finish', () => request.socket.destroy());
    };
    const onEnd = (): void => {
      response.locals['body'] = Buffer.concat(chunks);
      next();
    };
    request
      .on('data', onData)
      .once('end', onEnd)
      .once('error', () => request.socket.destroy());
  };
}

/** What `rawBody` left. */
export function bodyOf(response: Response): Buffer {
  const body: unknown = response.locals['body'];
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}
