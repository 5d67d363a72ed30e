export { isEmptyDiff, semanticDiff } from './diff';
export type { CallChange, CallChangeKind, MeshDiff, PortChange, ProxyCount } from './diff';
export type { DeployChange, DeployField } from './deploys';
export type { IssuerChange } from './issuers';
export { formatDiff, summary } from './format';
export type { DiffFormat, FormatOptions } from './format';
