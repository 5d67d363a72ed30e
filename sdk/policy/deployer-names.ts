/** Formats of text in rules about deployment: CI jobs, groups, users, accounts, images. Exact names all of them: none is a pattern. */
import { matches, splitText } from './intrinsics';
import { type Place, refuse } from './policy-error';
import { type Reader, show, text } from './read';

/** `acme/books`. */
export const githubRepository: Reader<string> = (value, at) => {
  const given = text(value, at);
  if (!matches(/^[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?\/[A-Za-z0-9._-]{1,100}$/, given))
    return refuse(
      at,
      'MW2124',
      `${show(value)} is not a repository of GitHub`,
      'write owner and name with a slash between them: `acme/books`',
    );
  return given;
};

/** `main`, `release/2.0`: without `refs/heads/`, which the token has and the rule adds. */
export const branch: Reader<string> = (value, at) => {
  const given = text(value, at);
  const help = 'write one branch by its name: `main`';
  if (matches(/^refs\//, given)) {
    const named = given.startsWith('refs/heads/') && given.length > 11 ? `write \`${given.slice(11, 91)}\`` : help;
    return refuse(at, 'MW2124', `${show(value)} is a ref where the name of a branch is meant`, named);
  }
  const legal =
    given.length <= 244 && matches(/^[^\x00-\x20~^:?*[\\\x7f]+$/, given) && !matches(/^[-/.]|\.\.|\/\/|\/\.|@\{|(?:\/|\.|\.lock)$/, given);
  return legal ? given : refuse(at, 'MW2124', `${show(value)} is not the name of a branch`, help);
};

const readable: (value: string) => boolean = (value) =>
  value.length <= 253 && matches(/^[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$/, value);
const exactName =
  (what: string, help: string, more: (name: string, at: Place) => void = () => undefined): Reader<string> =>
  (value, at) => {
    const given = text(value, at);
    if (!readable(given) || given.includes('*')) return refuse(at, 'MW2124', `${show(value)} is not the name of ${what}`, help);
    more(given, at);
    return given;
  };
/** The environment of a GitHub job. */
export const jobEnvironment = exactName('an environment of a job', 'write it as the job names it: `production`');
/** A group as the cluster's authentication says it. */
export const groupName = exactName('a group', 'write the group as the cluster says it: `sre-oncall`', (name, at) => {
  if (matches(/^system:(?:un)?authenticated$/, name))
    refuse(at, 'MW2120', `\`${name}\` takes in everybody`, 'name a group of people, or leave the rule out');
});
export const userName = exactName('a user', 'write the user as the cluster says it: `ada@acme.example`', (name, at) => {
  if (matches(/^system:serviceaccount:/, name))
    refuse(
      at,
      'MW2120',
      `\`${name}\` is an account where a user is meant`,
      `write \`kubernetesAccount('${splitText(name, ':').slice(2).join('/')}')\``,
    );
  if (name === 'system:anonymous') refuse(at, 'MW2120', '`system:anonymous` takes in everybody', 'name a user, or leave the rule out');
});
/** `ci/deployer`: namespace and service account. */
export const accountOfCluster: Reader<string> = (value, at) => {
  const given = text(value, at);
  if (!matches(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\/[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, given))
    return refuse(at, 'MW2124', `${show(value)} is not a namespace and an account`, 'write both with a slash between them: `ci/deployer`');
  return given;
};

/** `ghcr.io/acme/`: a registry, a path, a final slash. Without it `ghcr.io/acme` would take in `ghcr.io/acme-evil/shop`. */
export const imagePrefix: Reader<string> = (value, at) => {
  const given = text(value, at);
  const wrong = (why: string, help: string): never => refuse(at, 'MW2124', `${show(value)} is not a prefix of images: ${why}`, help);
  if (given.length > 253) return wrong('it is longer than 253 characters', 'write `registry/path/`');
  if (given.includes('://')) return wrong('it holds a scheme', 'write the registry alone: `ghcr.io/acme/`');
  if (given.includes('*')) return wrong('it is taken exactly', 'end it with `/`: all below is meant');
  if (matches(/[A-Z]/, given)) return wrong('it holds capitals, which no image has', `write \`${given.toLowerCase().slice(0, 120)}\``);
  if (given.includes('@')) return wrong('it holds a digest', "write `digest: 'required'`, and the path up to a `/`");
  if (matches(/\/[^/]*:[^/]*$/, given)) return wrong('it holds a tag', 'write the path up to a `/`: `ghcr.io/acme/`');
  if (!given.endsWith('/')) return wrong('it does not end with `/`', `write \`${given.slice(0, 120)}/\``);
  const [registry = '', ...path] = splitText(given.slice(0, -1), '/');
  if (!matches(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$/, registry) || !(matches(/[.:]/, registry) || registry === 'localhost'))
    return wrong('it does not begin with a registry', `write the registry too: \`docker.io/${given.slice(0, 100)}\``);
  if (registry === 'index.docker.io') return wrong('it is another name of `docker.io`', `write \`docker.io/${given.slice(16, 120)}\``);
  for (const part of path)
    if (!matches(/^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/, part))
      return wrong(`\`${part.slice(0, 40)}\` is no part of a path`, 'write `registry/path/` as `docker pull` takes it');
  return given;
};
