/** What a policy directory may hold. Far above any real one; low enough that nothing here can exhaust a machine. */
export const limits = {
  fileBytes: 1024 * 1024,
  totalBytes: 64 * 1024 * 1024,
  files: 20_000,
  depth: 12,
  nameLength: 100,
} as const;
