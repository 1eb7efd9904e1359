# Two images: `collector` runs, reconciles, verifies and tails; the last stage, the default, has DuckDB besides (70 MB), for
# `query` and `tables`.
#
#   docker build --target collector -t gleaner:0.1.0 .
#   docker build -t gleaner:0.1.0-query .
#   docker run -v /etc/gleaner:/etc/gleaner:ro -v /data:/data:ro --read-only --tmpfs /tmp gleaner:0.1.0
#
# The configuration is /etc/gleaner/gleaner.yaml; the directory archive, where one is used, /var/lib/gleaner. /tmp is the only other
# place that is written: a cache of compiled code. /run/gleaner is a place for a volume with a token or other secrets.

FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: koffi brings its native part ready-made, as an optional package for each platform. That it is there
# and works is checked at once, by a call into libc.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
    && node --input-type=module -e "import koffi from 'koffi'; \
       const getpid = koffi.load('libc.so.6').func('int getpid()'); \
       if (getpid() !== process.pid) throw new Error('koffi does not work here')" \
    && mkdir /app/query && mv node_modules/@duckdb query/

FROM node:26-bookworm-slim AS collector
# bzip2 and xz read rotated files with those suffixes. What only a build needs is left behind in the stage before.
RUN apt-get update \
    && apt-get install -y --no-install-recommends bzip2 xz-utils \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o node -g node /var/lib/gleaner /run/gleaner
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
RUN install -d -o node -g node -m 700 node_modules/.cache/gleaner
USER node
# Compiled code, made here once by a pass and some seconds of collecting, with a Redis that is away: the image starts with it, and its
# threads share it. What reads an archive has other settings of V8, and so a cache of its own.
RUN cd /tmp && mkdir gleaner-warm && cd gleaner-warm && mkdir logs archive && echo line > logs/a \
    && echo '{"archive": "file:///tmp/gleaner-warm/archive", "serve": {"port": 0}, "roots": [{"name": "a", "path": "/tmp/gleaner-warm/logs", "format": "lines"}]}' > g.yaml \
    && sed 's|{|{"redis": "redis://127.0.0.1:1", |' g.yaml > redis.yaml \
    && node /app/src/main.ts --config g.yaml reconcile && (timeout 5 node /app/src/main.ts --config redis.yaml run || test $? = 124) \
    && node /app/src/main.ts --config g.yaml sources && node /app/src/main.ts --config g.yaml verify \
    && rm -r /tmp/gleaner-warm
VOLUME /var/lib/gleaner
EXPOSE 9464
# Set GLEANER_HEALTH_URL where serve.port is another, or `--no-healthcheck` where this process does not serve.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["node", "-e", "fetch(process.env.GLEANER_HEALTH_URL ?? 'http://127.0.0.1:9464/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/src/main.ts"]
CMD ["run"]

FROM collector
COPY --from=dependencies /app/query/@duckdb ./node_modules/@duckdb
