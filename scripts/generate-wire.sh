#!/usr/bin/env bash
# Regenerates core/wire/gen from Envoy's own API definitions. Needs Maven for the definitions (one jar) and this repository's dev dependencies.
# Without source comments: the descriptors stay, Envoy's prose does not. See core/wire/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.0.49
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

jar="${HOME}/.m2/repository/io/envoyproxy/controlplane/api/${version}/api-${version}.jar"
if [ ! -f "$jar" ]; then
  command -v mvn >/dev/null || { echo "generate-wire: mvn is not on PATH; install Maven, it brings Envoy's definitions" >&2; exit 2; }
  mvn -q dependency:get -Dartifact="io.envoyproxy.controlplane:api:${version}" -Dtransitive=false
fi
mkdir "$work/proto"
(cd "$work/proto" && unzip -qo "$jar" '*.proto')
# Newer than the jar: a field that the oldest supported Envoy has (its own descriptor says number and type). Goes when the jar has it.
routes="$work/proto/envoy/config/route/v3/route_components.proto"
if ! grep -q use_hash_policy "$routes"; then
  sed -i 's/^  oneof random_value_specifier {$/&\n    google.protobuf.BoolValue use_hash_policy = 5;\n/' "$routes"
fi
tcp="$work/proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto"
if ! grep -q upstream_connect_mode "$tcp"; then
  sed -i 's/^message TcpProxy {$/enum UpstreamConnectMode { IMMEDIATE = 0; ON_DOWNSTREAM_DATA = 1; ON_DOWNSTREAM_TLS_HANDSHAKE = 2; }\n&\n  UpstreamConnectMode upstream_connect_mode = 21;\n  google.protobuf.UInt32Value max_early_data_bytes = 22;\n/' "$tcp"
fi
names="$work/proto/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.proto"
if ! grep -q resolved_address_filter "$names"; then
  sed -i 's#^import "envoy/config/core/v3/resolver.proto";$#&\nimport "envoy/type/matcher/v3/address.proto";#; s/^message DnsCacheConfig {$/&\n  type.matcher.v3.AddressMatcher resolved_address_filter = 16;/' "$names"
fi
matcher="$work/proto/envoy/type/matcher/v3/address.proto"
if ! grep -q invert_match "$matcher"; then
  sed -i 's/^message AddressMatcher {$/&\n  bool invert_match = 2;/' "$matcher"
fi

export PATH="$PWD/node_modules/.bin:$PATH"
types=()
while read -r type; do [ -n "$type" ] && types+=(--type "$type"); done < <(sed 's/#.*//' core/wire/types.txt)
buf build "$work/proto" --exclude-source-info -o "$work/image.binpb"
rm -rf core/wire/gen
buf generate "$work/image.binpb" "${types[@]}" \
  --template '{"version":"v2","plugins":[{"local":"protoc-gen-es","out":"core/wire/gen","opt":["target=ts"]}]}'
find core/wire/gen -name '*.ts' | wc -l
