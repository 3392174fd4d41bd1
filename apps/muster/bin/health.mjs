// The health check of a container: asks the process beside it whether its roles are ready. It needs nothing but Node, so that it costs
// little to run every few seconds.
const { MUSTER_HTTP_HOST: host = '127.0.0.1', MUSTER_HTTP_PORT: port = '8080' } = process.env
const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/health/ready`

try {
  const response = await fetch(url, { signal: AbortSignal.timeout(3000) })
  process.stdout.write(`${await response.text()}\n`)
  process.exitCode = response.ok ? 0 : 1
} catch (error) {
  process.stdout.write(`${url} does not answer: ${error.cause?.message ?? error.message}\n`)
  process.exitCode = 1
}
