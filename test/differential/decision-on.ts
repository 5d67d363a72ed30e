/** What the definition says to a question: tokens are read here, for it decides by what they say. */
import type { MeshIr } from '../../core/ir/ir';
import { decide } from '../../core/semantics/decide';
import { decideConnection, decideOutsideConnection } from '../../core/semantics/decide-connection';
import type { Decision } from '../../core/semantics/decision';
import { type Question, withClaims } from '../kit/mesh-generator-requests';

export const decisionOn = (ir: MeshIr, question: Question): Decision =>
  question.kind === 'connection'
    ? decideConnection(ir, question.connection)
    : question.kind === 'connection-from-outside'
      ? decideOutsideConnection(ir, question.connection)
      : decide(ir, withClaims(ir, question.request));
