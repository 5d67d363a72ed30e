/** Why something failed, in words for a message: an error's own, or those of what caused it (`fetch failed` says nothing, its cause does). */
export function reasonOf(error: unknown): string {
  // By its form: an error of another realm is none of this one's `Error`.
  if (!isErrorLike(error)) return String(error);
  if (error.name === 'TimeoutError') return 'it took too long';
  if (error.name === 'AbortError') return 'it was cancelled';
  const { cause } = error;
  if (!isErrorLike(cause)) return error.message;
  // A connection refused at every address of a name has no words but a code.
  const deeper = cause.message || (typeof cause.code === 'string' ? cause.code : '');
  return deeper === '' || error.message.includes(deeper) ? error.message : deeper;
}

const isErrorLike = (
  value: unknown,
): value is { readonly name: unknown; readonly message: string; readonly cause?: unknown; readonly code?: unknown } =>
  typeof value === 'object' && value !== null && 'name' in value && 'message' in value && typeof value.message === 'string';
