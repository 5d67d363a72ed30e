import type { MeshIr } from './ir';

/** An IR that an earlier compiler kept, with the parts that came later: nothing could be said about them then. */
export const completed = (kept: Omit<MeshIr, LaterPart> & Partial<Pick<MeshIr, LaterPart>>): MeshIr => ({
  deploys: [],
  products: [],
  ...kept,
});
type LaterPart = 'deploys' | 'products';
