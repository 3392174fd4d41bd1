import type { Role } from '@muster/runtime'
import postgres from 'postgres'
import { onTestFinished } from 'vitest'
import { roles } from '../../src/roles.ts'
import { requestTo, startHub, type TestHub } from '../hub.ts'
import { ownProgram, type RoleProcess, startProcess } from '../role-process.ts'

type RoleName = Role['name']

/** The roles of each build. A role that both have is shared by them. */
export interface Mix {
  readonly old: readonly RoleName[]
  readonly new: readonly RoleName[]
}

/** A hub of two builds, until the test has finished. Both members of a pair are the same unless both builds run the role. */
export interface MixedHub {
  readonly ca: string
  readonly apis: readonly [Api, Api]
  readonly mqttsPorts: readonly [number, number]
}

export type Api = Pick<TestHub, 'request'>

/**
 * Each build is one process: its roles speak to each other through the stores, as in processes of their own, and a start costs seconds.
 * The schema is that of this version, and one migration more that only adds. So it is ahead of the old build, also when no migration
 * lies between the two.
 */
export async function startMixedHub(mix: Mix, oldProgram: string): Promise<MixedHub> {
  // It makes the certificates, and nobody asks it.
  const hub = await startHub({ roles: roles.filter(({ name }) => name === 'api') })
  onTestFinished(() => hub[Symbol.asyncDispose]())
  await expandSchema(hub)

  const starts = [
    startProcess(hub, mix.old, { program: oldProgram }),
    startProcess(hub, mix.new, { program: ownProgram }),
  ] as const
  // Also when one of them cannot start: the other one would outlive the test.
  onTestFinished(async () => {
    for (const start of await Promise.allSettled(starts)) {
      if (start.status === 'fulfilled') await start.value[Symbol.asyncDispose]()
    }
  })
  const [older, newer] = await Promise.all(starts)
  const pairOf = (name: RoleName): readonly [RoleProcess, RoleProcess] => {
    const first = mix.old.includes(name) ? older : newer
    return [first, mix.new.includes(name) ? newer : first]
  }

  const apiOf = ({ ports }: RoleProcess): Api => ({ request: requestTo(ports.http, hub.token) })
  const portOf = ({ ports }: RoleProcess) => ports.mqtts ?? 0
  const [api, otherApi] = pairOf('api')
  const [gateway, otherGateway] = pairOf('gateway')
  return {
    ca: hub.ca,
    apis: [apiOf(api), apiOf(otherApi)],
    mqttsPorts: [portOf(gateway), portOf(otherGateway)],
  }
}

/** Adds a column to every table, and leaves the word that this only adds, as the migration of a newer version does. */
async function expandSchema({ environment }: TestHub): Promise<void> {
  const sql = postgres(environment.DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
  try {
    const tables = await sql<{ name: string }[]>`
      select oid::regclass::text as name
        from pg_class
       where relnamespace = 'public'::regnamespace
         and relkind in ('r', 'p')
         and not relispartition`
    for (const { name } of tables)
      await sql.unsafe(`alter table ${name} add column of_the_next_release text default 'new'`)
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at, expands) values ('next', 0, true)`
  } finally {
    await sql.end()
  }
}
