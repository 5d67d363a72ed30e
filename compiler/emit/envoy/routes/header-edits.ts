/** Edits of headers. Envoy takes away first and then writes, the most specific first: cluster of a split, route, virtual host. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { HeaderEdits, HeaderValue } from '../../../../core/ir/ir';
import { HeaderValueOption_HeaderAppendAction, type HeaderValueOptionSchema } from '../../../../core/wire/gen/envoy/config/core/v3/base_pb';

type Option = MessageInitShape<typeof HeaderValueOptionSchema>;

/** `%` starts a command in Envoy's values; a value here is text. */
const option =
  (appendAction: HeaderValueOption_HeaderAppendAction) =>
  ({ name, value }: HeaderValue): Option => ({ header: { key: name, value: value.replaceAll('%', '%%') }, appendAction });
const sorted = (values: readonly HeaderValue[]): readonly HeaderValue[] => [...values].sort((a, b) => (a.name < b.name ? -1 : 1));

function written({ set, add }: HeaderEdits): Option[] {
  return [
    ...sorted(set).map(option(HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD)),
    ...sorted(add).map(option(HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD)),
  ];
}

/** A header of the mesh's own, in Envoy's words, in place of all of that name. */
export const setHeader = (key: string, value: string): Option => ({
  header: { key, value },
  appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
});

export const requestEdits = (edits: HeaderEdits) => ({
  requestHeadersToAdd: written(edits),
  requestHeadersToRemove: [...edits.remove].sort(),
});
export const responseEdits = (edits: HeaderEdits) => ({
  responseHeadersToAdd: written(edits),
  responseHeadersToRemove: [...edits.remove].sort(),
});
export const isEdited = ({ remove, set, add }: HeaderEdits): boolean => remove.length + set.length + add.length > 0;
