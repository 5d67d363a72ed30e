/**
 * `meshwright:index:MeshObject`: one immutable object, named by its digest. Its content is not in Pulumi's state: the digest says all there is to
 * compare, and the bundle folder has the bytes when they are sent.
 */
import type { SignedObject } from '../../core/bundle/objects';
import { isDigest } from '../../core/lib/digest';
import type { JsonObject } from '../../core/lib/json';
import type { AdminClient } from '../admin/client';
import { text, type Difference, type ResourceType } from './resource';

export const meshObjectToken = 'meshwright:index:MeshObject';
export interface MeshObjectInputs {
  readonly environment: string;
  /** `ServiceConfig/bookinfo/reviews.web`. */
  readonly name: string;
  readonly digest: string;
  /** Id of the key that signed it; absent for an object that an earlier release brought. A new key means to send the signature again. */
  readonly kid?: string;
}
/** Where the bytes come from. */
export interface ObjectSource {
  /** null: the bundle does not hold it. Throws when the bundle cannot be read. */
  object(digest: string): Promise<SignedObject | null>;
}

export function meshObjectType(client: AdminClient, source: ObjectSource): ResourceType {
  const send = async (inputs: JsonObject): Promise<void> => {
    const signed = await source.object(text(inputs, 'digest'));
    if (signed) return client.putObject(signed);
    // An object of the release before: the control plane has it, unless it lost its state.
    if (await client.hasObject(text(inputs, 'digest'))) return;
    throw new Error(
      `\`${text(inputs, 'name')}\` (${text(inputs, 'digest')}) is neither in the bundle nor in the control plane; deploy the commit it came from once more`,
    );
  };
  return {
    check: (inputs) => [
      ...(['environment', 'name'] as const)
        .filter((name) => text(inputs, name) === '')
        .map((property) => ({ property, reason: 'is missing' })),
      ...(isDigest(text(inputs, 'digest')) ? [] : [{ property: 'digest', reason: 'is not a digest' }]),
    ],
    diff: diffObject,
    async create(inputs, call) {
      if (call.dryRun) {
        const signed = await source.object(text(inputs, 'digest'));
        if (!signed && !(await client.hasObject(text(inputs, 'digest')))) {
          throw new Error(`\`${text(inputs, 'name')}\` (${text(inputs, 'digest')}) is neither in the bundle nor in the control plane`);
        }
      } else await send(inputs);
      return { id: text(inputs, 'digest'), properties: inputs };
    },
    async update(id, _olds, news, call) {
      if (!call.dryRun) await send(news);
      return { id, properties: news };
    },
    async read(id, properties) {
      return (await client.hasObject(id)) ? { id, properties: { ...properties, digest: id } } : null;
    },
    async delete(id, properties, call) {
      const outcome = await client.deleteObject(id);
      if (outcome === 'kept') call.say(`${text(properties, 'name')} is still in force and stays in the control plane`);
    },
  };
}

function diffObject(olds: JsonObject, news: JsonObject): Difference {
  const changed = ['environment', 'name', 'digest']
    .filter((name) => text(olds, name) !== text(news, name))
    .map((path) => ({ path, change: 'update' as const }));
  if (changed.length > 0) return { kind: 'replace', changed };
  const kid = text(news, 'kid');
  if (kid === '' || kid === text(olds, 'kid')) return { kind: 'none', changed: [] };
  return { kind: 'update', changed: [{ path: 'kid', change: 'update' }] };
}
