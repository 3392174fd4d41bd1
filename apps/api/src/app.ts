import { OpenAPIHono } from '@hono/zod-openapi'
import { type BearerVerifier, IssuerError } from '@muster/auth'
import { clip, type EventIds, HubError } from '@muster/contract'
import type { WebhookCalls } from '@muster/runtime'
import type { MiddlewareHandler } from 'hono'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { deviceActionRoutes } from './device-jobs/device-actions.ts'
import { deviceJobRoutes } from './device-jobs/device-jobs.ts'
import { failureRoutes } from './device-jobs/failures.ts'
import { lineageRoutes } from './device-jobs/lineage.ts'
import { rerunRoutes } from './device-jobs/rerun.ts'
import type { JobFeed } from './events/feed.ts'
import { historyRoutes } from './events/history.ts'
import type { Sessions } from './events/session-cookie.ts'
import { sessionRoutes } from './events/sessions.ts'
import { streamRoutes } from './events/streams.ts'
import { addEndpoint } from './http/add-endpoint.ts'
import { createAuthorize } from './http/authorize.ts'
import { type ApiContext, type ApiEnv, callerOf, type Deps } from './http/endpoint.ts'
import { callersError, errorReply } from './http/errors.ts'
import { observe } from './http/observe.ts'
import { documentInfo, securitySchemes } from './http/openapi.ts'
import { createPaging } from './http/paging.ts'
import { jsonReply } from './http/reply.ts'
import { limitLargeBodies } from './http/request-body.ts'
import { changeRoutes } from './jobs/change.ts'
import { importExportRoutes } from './jobs/import-export.ts'
import { jobMethodRoutes } from './jobs/job-method.ts'
import { jobRoutes } from './jobs/jobs.ts'
import { pauseRoutes } from './jobs/pause.ts'
import { previewRoutes } from './jobs/preview.ts'
import { stopRoutes } from './jobs/stops.ts'
import { methodRoutes } from './methods/methods.ts'
import { queryRoutes } from './queries/query.ts'
import { withErrorCatalogue } from './reference/error-catalogue.ts'
import { addReferencePage } from './reference/page.ts'
import { bulkRoutes } from './registry/bulk.ts'
import { deviceRoutes } from './registry/devices.ts'
import { moduleRoutes } from './registry/modules.ts'
import { statisticsRoutes } from './registry/statistics.ts'
import { stageRoutes } from './rollout/stages.ts'
import { whyRoutes } from './rollout/why.ts'
import { scheduleRoutes } from './schedules/schedules.ts'
import { twinRoutes } from './twins/twins.ts'
import { deliveryRoutes } from './webhooks/deliveries.ts'
import { webhookRoutes } from './webhooks/webhooks.ts'

/**
 * The service API. `hostNames`: the names for which tokens are accepted. `continuationKey` signs continuation tokens; the
 * same one in every process of a hub. `feed` tells the events of jobs, and is closed by who made it. `bearer` judges bearer tokens; null: none are accepted.
 */
export function createApp(
  deps: Deps & {
    readonly hostNames: readonly string[]
    readonly continuationKey: Buffer
    readonly eventIds: EventIds
    readonly feed: JobFeed
    readonly sessions: Sessions
    readonly bearer: BearerVerifier | null
    readonly webhookCalls: WebhookCalls
    readonly maxRunningJobs: number
  },
): OpenAPIHono<ApiEnv> {
  // Not strict: the registry clients end the address of the device list with a slash.
  const app = new OpenAPIHono<ApiEnv>({ strict: false })
  const authorize = createAuthorize(deps)
  const paging = createPaging(deps.continuationKey)
  const refuse = (c: ApiContext, error: HubError) => {
    const caller = callerOf(c)
    c.set('isOfDevice', error.isOfDevice)
    const jobId = c.req.param('jobId')
    deps.events.requestRefused({
      method: c.req.method,
      route: c.get('route'),
      code: error.code,
      jobId: jobId === undefined ? null : clip(jobId),
      ...caller,
    })
    return errorReply(error, { trackingId: caller.trackingId, form: c.get('errorForm'), now: deps.clock.now() })
  }

  app.use(observe(deps), refuseFaulty)
  app.use(methodNotAllowed({ app, onMethodNotAllowed: (c, methods) => refuseMethod(refuse, c, methods) }))

  const endpoints = [
    ...streamRoutes(deps, deps),
    ...historyRoutes(deps, paging, deps.eventIds),
    ...sessionRoutes(deps, deps.sessions),
    ...stopRoutes(deps),
    ...jobRoutes(deps, paging),
    ...pauseRoutes(deps),
    ...changeRoutes(deps),
    ...jobMethodRoutes(deps),
    ...stageRoutes(deps),
    ...whyRoutes(deps),
    ...previewRoutes(deps),
    ...deviceJobRoutes(deps, paging),
    ...failureRoutes(deps),
    ...deviceActionRoutes(deps),
    ...rerunRoutes(deps),
    ...lineageRoutes(deps),
    ...importExportRoutes(),
    ...queryRoutes(deps, paging),
    ...bulkRoutes(deps),
    ...deviceRoutes(deps),
    ...moduleRoutes(deps),
    ...statisticsRoutes(deps),
    ...twinRoutes(deps),
    ...methodRoutes(deps),
    ...scheduleRoutes(deps, paging),
    ...webhookRoutes(deps, paging),
    ...deliveryRoutes(deps, paging),
  ]
  const gates = { authorize, throttles: deps.throttles, largeBodies: limitLargeBodies() }
  for (const endpoint of endpoints) addEndpoint(app, endpoint, gates)

  for (const [name, scheme] of Object.entries(securitySchemes)) {
    app.openAPIRegistry.registerComponent('securitySchemes', name, scheme)
  }
  const document = app.getOpenAPI31Document(withErrorCatalogue(documentInfo))
  app.get('/openapi.json', (c) => {
    c.set('route', '/openapi.json')
    return jsonReply(200, document)
  })
  addReferencePage(app)

  app.notFound((c) =>
    refuse(c, new HubError('GenericNotFound', { message: `There is nothing at ${clip(c.req.path)}` })),
  )
  app.onError((error, c) => {
    const shown = callersError(error)
    if (shown !== error || shown.cause instanceof IssuerError)
      deps.events.requestFailed({ trackingId: c.get('trackingId'), error })
    return refuse(c, shown)
  })
  return app
}

/** Refuses a request in which the front of the process found a fault, in the form of every error. */
const refuseFaulty: MiddlewareHandler<ApiEnv> = async (c, next) => {
  const fault = c.env?.fault ?? null
  if (fault !== null) throw new HubError('GenericBadRequest', { message: fault })
  await next()
}

function refuseMethod(
  refuse: (c: ApiContext, error: HubError) => Response,
  c: ApiContext,
  methods: string[],
): Response {
  const allowed = methods.join(', ')
  const message = `${c.req.method} is not allowed at ${clip(c.req.path)}; expected ${allowed}`
  const response = refuse(c, new HubError('GenericMethodNotAllowed', { message }))
  response.headers.set('allow', allowed)
  // Hono would replace our headers with those of the 404 that it found first.
  c.res = undefined
  return response
}
