import { startLocalServices } from '../src/index.ts'

// A program that starts a private Redis and ends it, as often as it is told, and does nothing else: `repeat.ts DATA_DIR TIMES`.
const [dataDir = '', times = ''] = process.argv.slice(2)
for (let left = Number(times); left > 0; left -= 1) {
  const services = await startLocalServices({ dataDir, durable: false, databaseUrl: 'postgres://given/muster' })
  await services[Symbol.asyncDispose]()
}
process.stdout.write('done\n')
