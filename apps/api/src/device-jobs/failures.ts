import { clip, HubError } from '@muster/contract'
import { type Failures, mostTagPaths, readFailures } from '@muster/store'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { jsonReply } from '../http/reply.ts'
import { failuresSchema } from '../http/schemas.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'
import { readList } from './filter.ts'

/** Why devices of a job failed, and what they have in common. */
export function failureRoutes({ db }: Pick<Deps, 'db'>): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/jobs/v2/{jobId}/failures',
      operationId: 'listFailures',
      summary:
        'Group the failed devices of a job by code and text, and find the tags that they have more often than its other devices',
      permission: 'ServiceConnect',
      throttle: 'queries',
      query: {
        tags: `The tags to compare, at most ${mostTagPaths} paths separated by commas, such as firmware,site.building; by default those that most devices have`,
      },
      example: { reply: exampleFailures },
      reply: failuresSchema,
      async handle(c) {
        const jobId = readJobId(c)
        const failures = await readFailures(db, jobId, readPaths(c))
        if (failures === null) throw jobNotFound(jobId)
        return jsonReply(200, { jobId, ...failuresJson(failures) })
      },
    },
  ]
}

const exampleFailures = {
  jobId: 'reboot-floor-3',
  deviceCount: 400,
  failedCount: 45,
  sampledCount: 400,
  comparedTags: ['tags.firmware', 'tags.building'],
  groups: [
    {
      code: 'GatewayTimeout',
      text: 'Timed out waiting for the response from device.',
      count: 45,
      sampledCount: 45,
      sampleDeviceIds: ['demo-017', 'demo-023', 'demo-059', 'demo-101', 'demo-155'],
      overRepresented: [
        { path: 'tags.firmware', value: '1.2.3', count: 41, share: 0.9111, targetShare: 0.1, lift: 9.111 },
      ],
    },
  ],
}

/** No tag has such a character in its name. */
const forbidden = /[\p{Cc}$ ]/u

/** Without the word `tags.` that the reply has before each path. */
function readPaths(c: ApiContext): readonly string[] | null {
  const given = readList(c, 'tags')
  if (given === null) return null
  if (given.length > mostTagPaths) {
    throw new HubError('ArgumentInvalid', {
      message: `tags must name at most ${mostTagPaths} paths, got ${given.length}`,
    })
  }
  return given.map((text) => {
    const path = text.replace(/^tags\./, '')
    if (!forbidden.test(path) && path.isWellFormed() && path.split('.').every((name) => name !== '')) return path
    throw new HubError('ArgumentInvalid', {
      message: `tags must be paths of tags such as firmware or site.building, separated by commas, got "${clip(text)}"`,
    })
  })
}

function failuresJson({ paths, others, groups, ...counts }: Failures) {
  return {
    ...counts,
    comparedTags: paths.map(wirePath),
    groups: groups.map(({ overRepresented, ...group }) => ({
      ...group,
      overRepresented: overRepresented.map((share) => ({
        ...share,
        path: wirePath(share.path),
        share: rounded(share.share),
        targetShare: rounded(share.targetShare),
        lift: rounded(share.lift),
      })),
    })),
    ...(others.groupCount === 0 ? {} : { otherGroups: others }),
  }
}

function wirePath(path: string): string {
  return `tags.${path}`
}

/** Four significant digits: a share of one in a million stays one. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
