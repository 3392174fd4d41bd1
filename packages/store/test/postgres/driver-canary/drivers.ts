import { Pool, type PoolClient } from 'pg'
import postgres from 'postgres'

export type Run = (text: string, values?: number[]) => Promise<unknown>

/** What the faults need of a driver, in each driver's own public words. */
export interface Driver {
  readonly run: Run
  transact(work: (run: Run) => Promise<unknown>): Promise<unknown>
  reserve(): Promise<{ run: Run; release(): void }>
  end(): Promise<void>
  /** Resolves when the driver has seen the first of its connections close. */
  readonly closed: Promise<void>
}

export const drivers = { 'postgres.js': postgresJs, 'node-postgres': nodePostgres } as const
export type DriverName = keyof typeof drivers

/** As it is published, with its own defaults. */
function postgresJs(url: string, poolSize: number): Driver {
  const { seen, happened: closed } = event()
  const sql = postgres(url, { max: poolSize, onclose: seen, onnotice: () => {} })
  const runOn =
    (on: Pick<typeof sql, 'unsafe'>): Run =>
    async (text, values = []) =>
      on.unsafe(text, values, { prepare: true })
  return {
    closed,
    run: runOn(sql),
    transact: (work) => sql.begin((tx) => work(runOn(tx))),
    reserve: async () => {
      const reserved = await sql.reserve()
      return { run: runOn(reserved), release: () => reserved.release() }
    },
    end: () => sql.end(),
  }
}

function nodePostgres(url: string, poolSize: number): Driver {
  const { seen, happened: closed } = event()
  const pool = new Pool({ connectionString: url, max: poolSize })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}).on('end', seen))
  const runOn =
    (on: Pool | PoolClient): Run =>
    (text, values) =>
      on.query(text, values)
  return {
    closed,
    run: runOn(pool),
    transact: async (work) => {
      const client = await pool.connect()
      let isDone = false
      try {
        await client.query('begin')
        await work(runOn(client))
        await client.query('commit')
        isDone = true
      } finally {
        client.release(!isDone)
      }
    },
    reserve: async () => {
      const client = await pool.connect()
      return { run: runOn(client), release: () => client.release() }
    },
    end: () => pool.end(),
  }
}

function event(): { seen: () => void; happened: Promise<void> } {
  let seen = () => {}
  const happened = new Promise<void>((resolve) => {
    seen = resolve
  })
  return { seen, happened }
}
