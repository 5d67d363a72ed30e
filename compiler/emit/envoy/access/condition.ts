/** Conditions on headers that an allow needs beside Envoy's header matchers, which take a repeated header when one of its values fits. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { FieldMatch } from '../../../../core/ir/ir';
import { assertNever } from '../../../../core/lib/brand';
import type { ExprSchema } from '../../../../core/wire/gen/google/api/expr/v1alpha1/syntax_pb';

type Expr = MessageInitShape<typeof ExprSchema>;

/**
 * In CEL, `request.headers[name]` is all values joined by `,`, as the definition reads them (RFC 9110 section 5.3): so two values never pass for one.
 * null when the matchers say it all.
 */
export function joinedHeaders(fields: readonly FieldMatch[]): Expr | null {
  const all = fields.flatMap((field) => valueCondition(field) ?? []);
  return all.reduce<Expr | null>((left, right) => (left === null ? right : call('_&&_', [left, right])), null);
}

function valueCondition({ name, match }: FieldMatch): Expr | null {
  const value = call('_[_]', [
    {
      exprKind: {
        case: 'selectExpr',
        value: { operand: { exprKind: { case: 'identExpr', value: { name: 'request' } } }, field: 'headers' },
      },
    },
    text(name),
  ]);
  switch (match.kind) {
    case 'present':
      return null;
    case 'exact':
      return call('_==_', [value, text(match.value)]);
    case 'prefix':
      return call('startsWith', [text(match.value)], value);
    case 'regex':
      return call('matches', [text(`^(?:${match.value})$`)], value);
    default:
      return assertNever(match);
  }
}

const text = (value: string): Expr => ({ exprKind: { case: 'constExpr', value: { constantKind: { case: 'stringValue', value } } } });
const call = (name: string, args: readonly Expr[], target?: Expr): Expr => ({
  exprKind: { case: 'callExpr', value: { function: name, args: [...args], ...(target ? { target } : {}) } },
});
