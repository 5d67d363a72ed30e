/**
 * The name of an image, with Docker's aliases written out: `nginx` is `docker.io/library/nginx`. https://pkg.go.dev/github.com/distribution/reference
 * What is not exactly of the form is refused rather than guessed: two readers of one name must not see two places.
 */
export interface ImageName {
  /** `ghcr.io:443`, as written; Docker's own always as `docker.io`. */
  readonly registry: string;
  /** `library/nginx` */
  readonly repository: string;
  readonly tag: string | null;
  /** `sha256:<64 digits>`; it alone decides what is run, whatever the tag says. */
  readonly digest: string | null;
}
export type ParsedImage = { readonly kind: 'image'; readonly image: ImageName } | { readonly kind: 'malformed'; readonly reason: string };

const domain =
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** 255 of registry and repository, 128 of a tag, a digest: no registry serves a longer one. */
const maxName = 512;
const aliases: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

export function parseImage(text: string): ParsedImage {
  const malformed = (reason: string): ParsedImage => ({ kind: 'malformed', reason });
  if (text === '') return malformed('it is empty');
  if (text.length > maxName) return malformed('it is too long');
  const [name = '', digest, ...more] = text.split('@');
  if (more.length > 0) return malformed('it has `@` twice');
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))
    return malformed('its digest is not `sha256:` and 64 lower-case digits');
  // A colon after the last slash starts a tag; one before it a port.
  const colon = name.lastIndexOf(':');
  const tagged = colon > name.lastIndexOf('/');
  const tag = tagged ? name.slice(colon + 1) : null;
  if (tag !== null && !tagForm.test(tag)) return malformed('its tag is not of the form of a tag');
  const path = (tagged ? name.slice(0, colon) : name).split('/');
  const [first = ''] = path;
  const hasRegistry = path.length > 1 && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const host = hasRegistry ? first : 'docker.io';
  if (!domain.test(host)) return malformed('its registry is no host name');
  const components = hasRegistry ? path.slice(1) : path;
  if (!components.every((part) => component.test(part)))
    return malformed('its repository has something other than lower-case letters and digits');
  const registry = aliases.has(host.toLowerCase()) ? 'docker.io' : host.toLowerCase();
  const official = registry === 'docker.io' && components.length === 1;
  return {
    kind: 'image',
    image: { registry, repository: `${official ? 'library/' : ''}${components.join('/')}`, tag, digest: digest ?? null },
  };
}

/** Whether an image lies below a prefix that ends with `/`, registry included: `ghcr.io/acme/`. */
export const isFrom = (image: ImageName, prefix: string): boolean =>
  prefix.endsWith('/') && `${image.registry}/${image.repository}`.startsWith(expanded(prefix));

/** A rule may write Docker's aliases too: `acme/` is not a registry, so it is below `docker.io`. */
function expanded(prefix: string): string {
  const [first = '', ...rest] = prefix.split('/');
  if (aliases.has(first.toLowerCase())) return ['docker.io', ...rest].join('/');
  return /[.:[]/.test(first) || first === 'localhost' ? [first.toLowerCase(), ...rest].join('/') : `docker.io/${prefix}`;
}
