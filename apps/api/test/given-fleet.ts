import { queryFleet } from '@muster/testkit'
import type { Api } from './api.ts'

/** Registers the fleet of the language's cases: over the API what it can set, and the rest in the tables, such as null in a list of tags. */
export async function givenFleet(api: Api): Promise<void> {
  const entries = queryFleet.map(({ deviceId, properties, authenticationType: type, x509Thumbprint, ...twin }) => ({
    id: deviceId,
    importMode: 'create',
    status: twin.status,
    statusReason: twin.statusReason,
    authentication: type === 'sas' ? { type } : { type, x509Thumbprint },
    capabilities: twin.capabilities,
    properties: { desired: properties.desired },
  }))
  const { body } = await api.send('POST', '/devices', entries)
  if (body.isSuccessful !== true) throw new Error(JSON.stringify(body))

  for (const statement of theRest) {
    await api.db.execute(`
      with fleet as materialized (select twin, twin ->> 'deviceId' as id from jsonb_array_elements(
        $fleet$${JSON.stringify(queryFleet)}$fleet$) as twin)
      ${statement}`)
  }
}

const theRest = [
  `update devices
      set status_updated_at = nullif(twin ->> 'statusUpdateTime', '0001-01-01T00:00:00Z')::timestamptz
     from fleet
    where device_id = id`,
  `update twins
      set version = (twin ->> 'version')::bigint,
          tags = coalesce(twin -> 'tags', '{}'),
          model_id = twin ->> 'modelId',
          desired_version = (twin #> '{properties,desired,$version}')::bigint,
          reported = (twin #> '{properties,reported}') - '$version',
          reported_version = (twin #> '{properties,reported,$version}')::bigint
     from fleet
    where device_id = id`,
  `insert into sessions (device_id, gateway_id, state_updated_at, last_activity_at)
   select id, case twin ->> 'connectionState' when 'Connected' then 'gateway-1' end,
          (twin ->> 'lastActivityTime')::timestamptz, (twin ->> 'lastActivityTime')::timestamptz
     from fleet
    where twin ->> 'lastActivityTime' <> '0001-01-01T00:00:00Z'`,
] as const
