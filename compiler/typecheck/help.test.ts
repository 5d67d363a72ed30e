import { helpFor } from './help';

const asked = '"any request" | NonEmpty<"GET /cart/{id}" | "POST /cart">';

test('a request that the contract does not have is not told to be one more', () => {
  const near = `Type '["GET /carts/{id}"]' is not assignable to type '${asked}'\nType '"GET /carts/{id}"' is not assignable to type '"GET /cart/{id}" | "POST /cart"'. Did you mean '"GET /cart/{id}"'?`;
  expect(helpFor('TS2322', near)).toBe("write `GET /cart/{id}`, or have the owner add this one to the port's `requests`");
  const far = `Type '["PUT /"]' is not assignable to type '${asked}'\nType '"PUT /"' is not assignable to type '"GET /cart/{id}" | "POST /cart"'.`;
  expect(helpFor('TS2322', far)).toBe("write a request of the port's contract, or have the owner add this one to the port's `requests`");
});
test('one request alone is told to be a list, none at all to be one', () => {
  expect(helpFor('TS2322', `Type '"GET /cart/{id}"' is not assignable to type '${asked}'`)).toMatch(/^write a list of requests/);
  expect(helpFor('TS2322', `Type '[]' is not assignable to type '${asked}'\nSource has 0 element(s) but target requires 1.`)).toBe(
    'give at least one',
  );
});
test('a word that is misspelt in a list is not told to be one more', () =>
  expect(
    helpFor(
      'TS2322',
      `Type '["prdo"]' is not assignable to type 'NonEmpty<"dev" | "prod">'\nType '"prdo"' is not assignable. Did you mean '"prod"'?`,
    ),
  ).toBe('write `"prod"`'));
