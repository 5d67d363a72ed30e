# One image for every server and for the agent: the chart starts it with other arguments. Built from a checkout after `npm ci && npm run build`.
FROM node:24-bookworm-slim AS packages
WORKDIR /opt/meshwright
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-bookworm-slim
# What captures the connections of a pod.
RUN apt-get update && apt-get install -y --no-install-recommends nftables && rm -rf /var/lib/apt/lists/*
# What the agent starts beside a workload; a tag by digest in production.
COPY --from=envoyproxy/envoy:distroless-v1.40.0 /usr/local/bin/envoy /usr/local/bin/envoy
# For the loop (`gitops.enabled`), unless its settings say `pulumi: false`.
COPY --from=pulumi/pulumi-base:3.245.0 /pulumi/bin/pulumi /usr/local/bin/pulumi
WORKDIR /opt/meshwright
COPY --from=packages /opt/meshwright/node_modules node_modules
COPY package.json ./
COPY bin bin
COPY dist dist
RUN ln -s /opt/meshwright/bin/meshwright.js /usr/local/bin/meshwright
ENV NODE_ENV=production
USER 65532:65532
ENTRYPOINT ["meshwright"]
