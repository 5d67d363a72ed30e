export { isEmptyDiff, semanticDiff } from './diff';
export type { CallChange, CallChangeKind, MeshDiff, PortChange, ProxyCount } from './diff';
export type { DeployChange, DeployField } from './deploys';
export { formatDiff, summary } from './format';
export type { DiffFormat, FormatOptions } from './format';
