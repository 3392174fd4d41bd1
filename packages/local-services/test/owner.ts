import { startLocalServices } from '../src/index.ts'

// A program that owns local services until it is killed or its standard input ends: `owner.ts DATA_DIR`.
const [dataDir = ''] = process.argv.slice(2)
await startLocalServices({ dataDir, durable: true })
process.stdout.write('ready\n')
process.stdin.on('end', () => process.exit()).resume()
