import { declarations } from '../test/kit/between-networks';
import { lowered } from '../test/kit/layered-mesh';
import { reasonsOf } from './commands/why';

test.each([
  ['gateway/east-west', ['books/dbAcross', 'books/reviewsAcross']],
  ['platform/crossing', ['books/dbAcross', 'books/reviewsAcross', 'platform/crossing']],
  // what a gateway between networks logs as `sni`, in whatever case it was asked for
  ['V2.web.reviews.bookinfo', ['books/reviewsAcross']],
  ['web.db.bookinfo', ['books/dbAcross']],
  ['web.stock.bookinfo', []],
])('%s of a log', (name, ids) => {
  expect([...new Set(reasonsOf(lowered(declarations), name).map(({ id }) => id))].sort()).toEqual(ids);
});
