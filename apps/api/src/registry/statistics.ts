import { countConnectedDevices, countDevices } from '@muster/store'
import type { Deps, Endpoint } from '../http/endpoint.ts'
import { jsonReply } from '../http/reply.ts'
import { deviceStatisticsSchema, serviceStatisticsSchema } from '../http/schemas.ts'

export function statisticsRoutes({ db }: Deps): readonly Endpoint[] {
  return [
    {
      method: 'get',
      path: '/statistics/devices',
      operationId: 'countDevices',
      summary: 'Count the devices',
      permission: 'RegistryRead',
      throttle: 'registryOperations',
      reply: deviceStatisticsSchema,
      async handle() {
        const { enabled, disabled } = await countDevices(db)
        return jsonReply(200, {
          totalDeviceCount: enabled + disabled,
          enabledDeviceCount: enabled,
          disabledDeviceCount: disabled,
        })
      },
    },
    {
      method: 'get',
      path: '/statistics/service',
      operationId: 'countConnectedDevices',
      summary: 'Count the devices that are connected',
      permission: 'RegistryRead',
      throttle: 'registryOperations',
      reply: serviceStatisticsSchema,
      async handle() {
        return jsonReply(200, { connectedDeviceCount: await countConnectedDevices(db) })
      },
    },
  ]
}
