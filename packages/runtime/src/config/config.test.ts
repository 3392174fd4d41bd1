import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { loadConfig } from './config.ts'
import { StartError } from './start-error.ts'
import { throttleNames } from './throttle-rates.ts'

const folder = mkdtempSync(join(tmpdir(), 'muster-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const defaults = { dataDir: '/data' }

it('needs nothing: an empty environment gives the documented ports, and no stores', () => {
  const config = loadConfig(defaults, {})

  expect(config).toMatchObject({
    databaseUrl: null,
    redisUrl: null,
    hostNames: ['localhost'],
    bind: '::',
    httpsPort: 443,
    httpPort: 8080,
    httpHost: '127.0.0.1',
    mqttsPort: 8883,
    dataDir: '/data',
    logLevel: 'info',
    tls: null,
    oidc: null,
    throttles: {},
  })
})

it('takes several host names', () => {
  expect(loadConfig(defaults, { MUSTER_HOSTNAME: 'hub.example.com, hub' }).hostNames).toEqual([
    'hub.example.com',
    'hub',
  ])
})

it('takes a data folder that is named from the folder it is started in', () => {
  expect(loadConfig(defaults, { MUSTER_DATA_DIR: 'data/here' }).dataDir).toBe(join(process.cwd(), 'data/here'))
})

it('counts an empty value as absent', () => {
  expect(loadConfig(defaults, { MUSTER_HTTP_PORT: '', MUSTER_DATA_DIR: '' })).toMatchObject({
    httpPort: 8080,
    dataDir: '/data',
  })
})

it('takes a secret from a file', () => {
  const file = join(folder, 'database-url')
  writeFileSync(file, 'postgres://muster:secret@db/muster\n')

  expect(loadConfig(defaults, { DATABASE_URL_FILE: file }).databaseUrl).toBe('postgres://muster:secret@db/muster')
})

it.each([
  [
    { MUSTER_OPERATOR_TOKEN: 'fifteen-letters' },
    'MUSTER_OPERATOR_TOKEN: expected 16 to 256 ASCII characters without spaces',
  ],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
    'OTEL_EXPORTER_OTLP_ENDPOINT: expected a URL such as http://collector:4318, got "collector:4318"',
  ],
  [{ OTEL_TRACES_SAMPLER_ARG: '2' }, 'OTEL_TRACES_SAMPLER_ARG: expected a number from 0 to 1, got "2"'],
  [
    { OTEL_EXPORTER_OTLP_HEADERS: 'secret' },
    'OTEL_EXPORTER_OTLP_HEADERS: expected headers such as authorization=Bearer%20secret, comma-separated',
  ],
  [{ MUSTER_HTTP_PORT: 'http' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got "http"'],
  [{ MUSTER_HTTP_PORT: ' ' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got " "'],
  [{ MUSTER_HTTP_PORT: '0x50' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got "0x50"'],
  [{ MUSTER_HTTP_PORT: '1e3' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got "1e3"'],
  [{ MUSTER_HTTP_PORT: '-1' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got "-1"'],
  [{ MUSTER_HTTP_PORT: '70000' }, 'MUSTER_HTTP_PORT: expected a whole number from 0 to 65535, got "70000"'],
  [
    { MUSTER_BIND: 'eth0' },
    'MUSTER_BIND: expected an address of this machine such as 127.0.0.1, or :: for all of them, got "eth0"',
  ],
  [
    { MUSTER_BIND: '192.168.1.5' },
    'MUSTER_HOSTNAME: expected the name of the hub in your network, since MUSTER_BIND=192.168.1.5 serves no localhost',
  ],
  [{ REDIS_URL: 'redis://' }, 'REDIS_URL: expected a URL such as redis://host:6379'],
  [
    { MUSTER_POLICIES: '{"name":"ops"}' },
    'MUSTER_POLICIES: expected JSON such as [{"name":"ops","permissions":["ServiceConnect"]}]',
  ],
  [
    { MUSTER_POLICIES: '["ops"]' },
    'MUSTER_POLICIES.0: expected JSON such as [{"name":"ops","permissions":["ServiceConnect"]}]',
  ],
  [{ MUSTER_MAX_RUNNING_JOBS: '1.5' }, 'MUSTER_MAX_RUNNING_JOBS: expected a whole number from 1 to 100000, got "1.5"'],
  [{ MUSTER_HOSTNAME: 'a b' }, 'MUSTER_HOSTNAME.0: expected host names, comma-separated, got "a b"'],
  [{ MUSTER_TLS_CERT: 'cert.pem' }, 'MUSTER_TLS_KEY: expected too, since MUSTER_TLS_CERT is set'],
  [{ MUSTER_OIDC_AUDIENCE: 'muster' }, 'MUSTER_OIDC_ISSUER: expected too, since MUSTER_OIDC_AUDIENCE is set'],
  [{ MUSTER_HTTP_PORT: '8883' }, 'MUSTER_MQTTS_PORT: expected another port than that of MUSTER_HTTP_PORT'],
  [
    { MUSTER_HTTPS_PORT: '8443', MUSTER_HTTP_PORT: '8443' },
    'MUSTER_HTTP_PORT: expected another port than that of MUSTER_HTTPS_PORT, got "8443"',
  ],
  [
    { MUSTER_TRUSTED_PROXIES: '10.0.0.0/8, balancer' },
    'MUSTER_TRUSTED_PROXIES.1: expected addresses and subnets such as 10.0.0.0/8, comma-separated, got "10.0.0.0/8, balancer"',
  ],
  [
    { MUSTER_OIDC_ISSUER: 'http://id.example.com', MUSTER_OIDC_AUDIENCE: 'a' },
    'MUSTER_OIDC_ISSUER: expected https, which may be left out for localhost only, got "http://id.example.com"',
  ],
  [{ DATABASE_URL_FILE: '/none/such' }, "DATABASE_URL_FILE: ENOENT: no such file or directory, open '/none/such'"],
  [{ REDIS_URL: 'redis://a', REDIS_URL_FILE: 'b' }, 'REDIS_URL and REDIS_URL_FILE are both set; expected one of them'],
])('refuses %j and says what was expected', (env, message) => {
  expect(() => loadConfig(defaults, env)).toThrow(new StartError(message))
})

const nonsense = ' ?no such thing?'

it.each([
  ['DATABASE_URL', {}],
  ['REDIS_URL', {}],
  ['MUSTER_REDIS_PREFIX', {}],
  ['MUSTER_HOSTNAME', {}],
  ['MUSTER_BIND', {}],
  ['MUSTER_HTTPS_PORT', {}],
  ['MUSTER_HTTP_PORT', {}],
  ['MUSTER_MQTTS_PORT', {}],
  ['MUSTER_POLICIES', {}],
  ['MUSTER_TRUSTED_PROXIES', {}],
  ['MUSTER_WEBHOOK_ALLOWED_NETWORKS', {}],
  ['MUSTER_OIDC_ISSUER', { MUSTER_OIDC_AUDIENCE: 'muster' }],
  ['MUSTER_THROTTLE', {}],
  ['MUSTER_LOG_LEVEL', {}],
  ['MUSTER_PG_POOL_SIZE', {}],
  ['MUSTER_PG_PREPARE', {}],
  ['MUSTER_MAX_RUNNING_JOBS', {}],
  ['MUSTER_HISTORY_DAYS', {}],
  ['MUSTER_WORKER_CONCURRENCY', {}],
  ['MUSTER_CALLS_IN_FLIGHT', {}],
  ['MUSTER_SHUTDOWN_SECONDS', {}],
] as const)('%s with a value that makes no sense is one complaint, and no crash', (name, others) => {
  const load = () => loadConfig(defaults, { ...others, [name]: nonsense })

  expect(load).toThrow(StartError)
  expect(load).toThrow(new RegExp(`^${name}(\\.0)?: [^;\n]*$`))
})

it.each([
  ['MUSTER_HTPS_PORT', 'MUSTER_HTTPS_PORT'],
  ['MUSTER_MQTT_PORT', 'MUSTER_MQTTS_PORT'],
  ['MUSTER_DATADIR', 'MUSTER_DATA_DIR'],
  ['MUSTER_HOST_NAME', 'MUSTER_HOSTNAME'],
  ['MUSTER_POLICIES_FILES', 'MUSTER_POLICIES_FILE'],
  ['MUSTER_HTTPS_PROT', 'MUSTER_HTTPS_PORT'],
  ['MUSTER_DATABASE_URL', 'DATABASE_URL'],
  ['MUSTER_REDIS_URL', 'REDIS_URL'],
])('refuses the misspelt name %s and names %s', (name, nearest) => {
  expect(() => loadConfig(defaults, { [name]: '1' })).toThrow(
    new StartError(`${name} is no setting; the nearest is ${nearest}`),
  )
})

it.each(['MUSTER_COLOUR_OF_THE_CONSOLE', 'MUSTER_PORT', 'MUSTER_'])(
  'refuses the name %s, which is like none, and lists the settings',
  (name) => {
    expect(() => loadConfig(defaults, { [name]: 'red' })).toThrow(
      new RegExp(`^${name} is no setting; the settings are DATABASE_URL, .*OTEL_EXPORTER_OTLP_HEADERS_FILE$`),
    )
  },
)

it('passes over the addresses that Kubernetes puts into every container, and the settings of tests', () => {
  const addresses = {
    MUSTER_API_SERVICE_HOST: '10.0.0.1',
    MUSTER_API_SERVICE_PORT: '8080',
    MUSTER_API_SERVICE_PORT_HTTP: '8080',
    MUSTER_API_PORT: 'tcp://10.0.0.1:8080',
    MUSTER_API_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
    MUSTER_API_PORT_8080_TCP_ADDR: '10.0.0.1',
    MUSTER_TEST_PROVIDER: 'testcontainers',
  }

  expect(loadConfig(defaults, addresses)).toEqual(loadConfig(defaults, {}))
})

it('never repeats a secret in a complaint', () => {
  expect(() => loadConfig(defaults, { DATABASE_URL: 'mysql://root:hunter2@db' })).toThrow(
    new StartError('DATABASE_URL: expected a URL such as postgres://user:password@host:5432/muster'),
  )
})

it('names every wrong variable at once', () => {
  expect(() => loadConfig(defaults, { MUSTER_HTTP_PORT: 'x', MUSTER_MQTTS_PORT: 'y' })).toThrow(
    /MUSTER_HTTP_PORT.*; MUSTER_MQTTS_PORT/,
  )
})

it('takes policies as JSON', () => {
  const policies = [{ name: 'ops', permissions: ['ServiceConnect'], primaryKey: 'c2VjcmV0' }]

  expect(loadConfig(defaults, { MUSTER_POLICIES: JSON.stringify(policies) }).policies).toEqual(policies)
  expect(() => loadConfig(defaults, { MUSTER_POLICIES: 'ops' })).toThrow(/MUSTER_POLICIES: expected JSON/)
})

it.each(['S4', 'S1x0', 'S1x1001', '20', '{"twinReads":5}', '{"twinReads":"0/s"}', '{"reads":"5/s"}', '["5/s"]', '{"a'])(
  'refuses the throttle %s',
  (text) => {
    expect(() => loadConfig(defaults, { MUSTER_THROTTLE: text })).toThrow(
      /^MUSTER_THROTTLE: expected S1, S2 or S3, with units as in S2x3, or JSON such as .*"queries":"20\/min"/,
    )
  },
)

it('takes rates of one’s own, and limits nothing else', () => {
  const text = '{"twinReads":"7/s","queries":"20/min"}'

  expect(loadConfig(defaults, { MUSTER_THROTTLE: text }).throttles).toEqual({
    twinReads: { tokens: 7, perMs: 1_000 },
    queries: { tokens: 20, perMs: 60_000 },
  })
})

/** jobs/min, job devices/s, twin reads/s, twin updates/s, methods/s, queries/min, registry/min, connections/s, events/min */
it.each([
  ['S1', [100, 10, 100, 50, 40, 20, 100, 100, 1_000]],
  ['s1x20', [2_000, 10, 100, 50, 800, 400, 2_000, 240, 20_000]],
  ['S2', [100, 10, 100, 50, 120, 20, 100, 120, 1_000]],
  ['S2x40', [4_000, 40, 400, 200, 4_800, 800, 4_000, 4_800, 40_000]],
  ['S3', [5_000, 50, 500, 250, 6_000, 1_000, 5_000, 6_000, 5_000]],
  ['S3x2', [10_000, 100, 1_000, 500, 12_000, 2_000, 10_000, 12_000, 10_000]],
])('knows the rates of %s', (text, tokens) => {
  const { throttles } = loadConfig(defaults, { MUSTER_THROTTLE: text })

  const inMinutes = ['jobOperations', 'queries', 'registryOperations', 'jobEvents']
  expect(throttleNames.map((name) => throttles[name]?.tokens)).toEqual(tokens)
  expect(throttleNames.filter((name) => throttles[name]?.perMs === 60_000)).toEqual(inMinutes)
})

it('reads the headers of the collector as OpenTelemetry writes them', () => {
  const OTEL_EXPORTER_OTLP_HEADERS = 'authorization=Bearer%20a=b, x-scope = 50%'
  const { tracing } = loadConfig(defaults, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318', OTEL_EXPORTER_OTLP_HEADERS })

  expect(tracing).toEqual({
    endpoint: 'http://c:4318',
    headers: { authorization: 'Bearer a=b', 'x-scope': '50%' },
    ratio: 1,
  })
})
