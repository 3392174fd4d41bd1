import { readFile } from 'node:fs/promises'
import { type Delivery, type DeliveryStatus, deliveryStatuses, type Webhook } from '@muster/client'
import { type Command, Option } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import { confirm } from '../command/confirm.ts'
import { collectWords } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'
import type { View } from '../output/format.ts'

const webhookView: View<Webhook> = {
  nameOf: ({ id }) => id,
  columns: [
    { head: 'WEBHOOK', of: ({ id }) => id },
    { head: 'URL', of: ({ url }) => url },
    { head: 'EVENTS', of: ({ events }) => events?.join(', ') ?? 'all' },
    {
      head: 'JOBS',
      of: ({ jobFilter }) => (jobFilter?.jobIdPrefix === undefined ? 'all' : `${jobFilter.jobIdPrefix}...`),
    },
    { head: 'TYPE', of: ({ jobFilter }) => jobFilter?.type, isWide: true },
  ],
}

const deliveryView: View<Delivery> = {
  nameOf: ({ eventId }) => eventId,
  columns: [
    { head: 'EVENT', of: ({ eventId }) => eventId },
    { head: 'JOB', of: ({ jobId }) => jobId },
    { head: 'KIND', of: ({ kind }) => kind },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'ATTEMPTS', of: ({ attempts }) => attempts },
    { head: 'NEXT', of: ({ nextAttemptTime }) => nextAttemptTime },
    { head: 'FAILURE', of: ({ failure }) => failure },
    { head: 'TIME', of: ({ time }) => time, isWide: true },
  ],
}

interface SetOptions extends HubOptions {
  readonly url: string
  readonly secret?: string
  readonly secretFile?: string
  readonly events?: readonly string[]
  readonly jobIdPrefix?: string
  readonly jobType?: string
}

/** `muster webhook`. */
export function addWebhookCommands(program: Command, environment: Environment): void {
  const group = program
    .command('webhook')
    .description('calls of the hub to your programs when something happens to a job')
  addSet(group, environment)
  addReaders(group, environment)
  addWebhookCommand(group, 'delete', 'delete a webhook; what is still to be delivered is not', [
    'muster webhook delete crm',
  ])
    .option('-y, --yes', 'do not ask')
    .action(async (id: string, options: HubOptions & { yes?: boolean }) => {
      const { client } = await openRun(options, environment)
      if (!options.yes) {
        const { url } = await client.webhooks.get(id)
        await confirm(`Delete the webhook ${id} to ${url}, and what it has not delivered?`, environment)
      }
      await client.webhooks.delete(id)
    })
  addDeliveries(group, environment)
}

function addSet(group: Command, environment: Environment): void {
  addWebhookCommand(group, 'set', 'create or replace a webhook', [
    'muster webhook set crm --url https://crm.example.com/jobs --secret-file secret.txt --events ended,cancelled',
  ])
    .requiredOption('--url <url>', 'where to call')
    .option(
      '--secret <text>',
      'what signs the calls: 16 characters or more, or whsec_ and base64; later, without one, it stays as it is',
    )
    .addOption(new Option('--secret-file <file>', 'a file with it, which no other user sees').conflicts('secret'))
    .option('--events <kinds>', 'only these, with commas between; by default all', collectWords)
    .option('--job-id-prefix <text>', 'only of jobs whose ids start so')
    .option('--job-type <type>', 'only of jobs of this type')
    .action(async (id: string, options: SetOptions) => {
      const { url, events, jobIdPrefix, jobType } = options
      const secret = await secretOf(options)
      const isFiltered = jobIdPrefix !== undefined || jobType !== undefined
      const jobFilter = isFiltered ? { jobIdPrefix, type: jobType } : undefined
      const { client, output } = await openRun(options, environment)
      const draft = { url, secret, events, jobFilter }
      await output.item(webhookView, await client.webhooks.set(id, draft))
    })
}

/** Undefined: the webhook keeps its own. */
async function secretOf({ secret, secretFile }: SetOptions): Promise<string | undefined> {
  if (secretFile === undefined) return secret
  const text = await readFile(secretFile, 'utf8').catch(() => null)
  if (text === null) throw usageError(`--secret-file ${secretFile} cannot be read`)
  return text.trim()
}

function addReaders(group: Command, environment: Environment): void {
  addHubCommand(group, { usage: 'list', description: 'list webhooks', examples: ['muster webhook list'] }).action(
    async (options: HubOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.list(webhookView, client.webhooks.list())
    },
  )
  addWebhookCommand(group, 'show', 'show a webhook; its secret is never shown', ['muster webhook show crm']).action(
    async (id: string, options: HubOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.item(webhookView, await client.webhooks.get(id))
    },
  )
  addWebhookCommand(group, 'test', 'send a test call now, and print what came back', [
    'muster webhook test crm',
  ]).action(async (id: string, options: HubOptions) => {
    const { client, output } = await openRun(options, environment)
    await output.value(await client.webhooks.test(id))
  })
}

function addDeliveries(group: Command, environment: Environment): void {
  addWebhookCommand(group, 'deliveries', 'list what a webhook has delivered, and what it has not', [
    'muster webhook deliveries crm --status dead',
  ])
    .addOption(new Option('--status <status>', 'only these').choices(deliveryStatuses))
    .action(async (id: string, options: HubOptions & { status?: DeliveryStatus }) => {
      const { client, output } = await openRun(options, environment)
      await output.list(deliveryView, client.webhooks.deliveries(id, { status: options.status }))
    })
  addHubCommand(group, {
    usage: 'replay <webhook> [event-id]',
    description: 'send an event once more; without an event all that have been given up',
    examples: ['muster webhook replay crm'],
  }).action(async (id: string, eventId: string | undefined, options: HubOptions) => {
    const { client, output } = await openRun(options, environment)
    if (eventId === undefined) return output.value(await client.webhooks.replayDead(id))
    await client.webhooks.replay(id, eventId)
  })
}

function addWebhookCommand(group: Command, name: string, description: string, examples: readonly string[]): Command {
  return addHubCommand(group, { usage: `${name} <webhook>`, description, examples })
}
