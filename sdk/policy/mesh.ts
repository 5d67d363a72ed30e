/** The root of a repository: its names, who owns what, and what it runs on. */
import { hasOwn, keysOf } from './intrinsics';
import { versionsMethod } from './deploy-time';
import { make } from './made';
import { setNames } from './mesh-names';
import { type Place, refuse, under } from './policy-error';
import { list, named, record, saying, text } from './read';
import { register } from './registry';
import { rolloutMethod } from './rollout';
import { standardMethod } from './settings';
import { name, plainKey, semVer, trustDomain } from './units';
import { verb } from './verb';

const spec = record(
  {
    trustDomain,
    environments: list(name, { unique: 'environment' }),
    teams: named(name, record({ namespaces: list(name, { empty: 'allowed', unique: 'namespace' }) }, { contact: saying })),
    runs: record({ envoy: semVer }, { istio: semVer, kubernetes: semVer }),
  },
  {
    tags: named(plainKey, list(plainKey, { unique: 'value' })),
    alongside: record({}, { istio: list(text), gatewayApi: list(text) }),
  },
);

export const defineMesh = verb('defineMesh', ['spec'], 1, (given) => {
  const at = given.at(0);
  const { alongside, ...mesh } = spec(given.take(0), at);
  if (alongside)
    return refuse(
      under(at, 'alongside'),
      'MW2130',
      'rules kept in YAML (`alongside`), which this version does not read',
      'leave the key out',
    );
  checkOwners(mesh.teams, at);
  setNames({ environments: mesh.environments, teams: keysOf(mesh.teams), tags: mesh.tags ?? {} }, at);
  const entry = register({ kind: 'mesh', ...mesh }, given.call);
  return make({ standard: standardMethod('mesh'), versions: versionsMethod('mesh'), rollout: rolloutMethod }, { kind: 'mesh', entry });
});

function checkOwners(teams: { readonly [team: string]: { readonly namespaces: readonly string[] } }, at: Place): void {
  const owners: Record<string, string> = {};
  for (const team of keysOf(teams)) {
    if (team === 'mesh')
      return refuse(under(at, 'teams'), 'MW2124', 'a team named `mesh`', 'choose another name: the root module speaks as `mesh`');
    for (const space of teams[team]?.namespaces ?? []) {
      const other = hasOwn(owners, space) ? owners[space] : undefined;
      if (other !== undefined)
        return refuse(
          under(at, 'teams'),
          'MW2126',
          `the namespace \`${space}\` belongs to \`${other}\` and to \`${team}\``,
          'give each namespace one owner',
        );
      owners[space] = team;
    }
  }
}
