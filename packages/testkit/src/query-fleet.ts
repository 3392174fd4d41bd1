type Json = string | number | boolean | null | readonly Json[] | { readonly [member: string]: Json }
type Members = { readonly [member: string]: Json }

/** A twin as the wire shows it, without the values that the hub makes: etags, metadata, keys. */
export type FleetTwin = {
  readonly deviceId: string
  readonly status: 'enabled' | 'disabled'
  readonly statusReason?: string
  readonly statusUpdateTime: string
  readonly connectionState: 'Connected' | 'Disconnected'
  readonly lastActivityTime: string
  readonly cloudToDeviceMessageCount: 0
  readonly authenticationType: 'sas' | 'selfSigned'
  readonly x509Thumbprint: { readonly primaryThumbprint: string | null; readonly secondaryThumbprint: string | null }
  readonly modelId: string
  readonly version: number
  /** Absent, not empty, when the twin has none. */
  readonly tags?: Members
  readonly properties: { readonly desired: Members; readonly reported: Members }
  readonly capabilities: { readonly iotEdge: boolean }
}

const never = '0001-01-01T00:00:00Z'

/**
 * The vehicles, stops and boxes of a tram company: the twins for the cases of the query language. In the order of their ids, by code
 * point.
 */
export const queryFleet: readonly FleetTwin[] = [
  twin('Bus-04', {
    connectionState: 'Connected',
    lastActivityTime: '2026-04-11T00:00:00.000Z',
    version: 4,
    tags: { depot: 'Harbour', line: -2 },
    properties: {
      desired: { heating: 35, profile: 'summer', $version: 1 },
      reported: { soft: '5.2.0', load: 62.5, radio: { kind: 'wire' }, $version: 3 },
    },
  }),
  twin('box-01', {
    connectionState: 'Connected',
    lastActivityTime: '2026-04-10T08:00:01.000Z',
    version: 5,
    tags: { depot: 'harbour', line: 9, spare: true },
    properties: {
      desired: { heating: 10, $version: 1 },
      reported: { soft: '6.0.0', load: 98, radio: { kind: 'wire', dbm: 0 }, $version: 3 },
    },
    capabilities: { iotEdge: true },
  }),
  twin('bus-01', {
    connectionState: 'Connected',
    lastActivityTime: '2026-04-10T07:45:00.000Z',
    version: 31,
    tags: { depot: 'meadow', line: 7, driver: 'tom', kit: { series: 'gamma', year: 2019 } },
    properties: {
      desired: { heating: 200, limit: 0.5, $version: 6 },
      reported: {
        soft: '4.9.9',
        load: 100,
        radio: { kind: 'tetra', dbm: -95 },
        limit: 0.5,
        heating: 200,
        $version: 25,
      },
    },
  }),
  twin('bus-02', { version: 2 }),
  twin('bus-03', {
    connectionState: 'Connected',
    lastActivityTime: '2026-04-10T07:45:00.500Z',
    version: 6,
    tags: { depot: 'Old Yard', 'bay-no': 12, driver: "d'arcy", marks: ['late', 'loud'] },
    properties: { desired: { heating: 0, $version: 1 }, reported: { load: 'crush', radio: 'tetra', $version: 4 } },
  }),
  twin('museum-1', {
    statusReason: '',
    version: 9,
    modelId: 'dtmi:trams:Wagon;1',
    tags: {
      Größe: 'süß',
      '🚋': '\u{1f68b}',
      "horse's": 'say "whoa"',
      path: 'C:\\wagons\\1',
      wild: '100%_',
      seats: [[1, { row: 2 }], [], null, 'plush'],
      crew: {},
      empty: '',
      and: { or: { not: 1 } },
      seen: '2026-04-10T09:45:00+02:00',
    },
    properties: {
      desired: { tenth: 0.1, $version: 2 },
      reported: { tenths: 0.3, least: 5e-324, most: 1.7e308, exact: 4503599627370495, $version: 3 },
    },
  }),
  twin('stop:K1', {
    connectionState: 'Connected',
    lastActivityTime: '2026-04-10T08:00:00.000Z',
    authenticationType: 'selfSigned',
    x509Thumbprint: { primaryThumbprint: '9F00A10000000000000000000000000000000000', secondaryThumbprint: null },
    version: 12,
    tags: { depot: 'quay', from: 'yes', kit: { series: 'beta', year: 2022 } },
    properties: {
      desired: { heating: 40, profile: 'summer', target: { soft: '5.3.0' }, $version: 5 },
      reported: { soft: '5.3.0', load: 93, radio: { kind: 'tetra', dbm: -60 }, doorsOk: true, $version: 8 },
    },
  }),
  twin('stop:K2', {
    version: 4,
    tags: { depot: 'quay', kit: 'vintage' },
    properties: {
      desired: { heating: 40, $version: 1 },
      reported: { soft: '5.3.0-b2', load: 0, doorsOk: false, $version: 3 },
    },
  }),
  twin('tram-01', {
    connectionState: 'Connected',
    lastActivityTime: '2026-04-10T06:15:00.000Z',
    version: 14,
    tags: { depot: 'harbour', line: 4, driver: 'lena', kit: { series: 'beta', year: 2021 } },
    properties: {
      desired: { heating: 20, profile: 'winter', $version: 4 },
      reported: {
        soft: '5.2.0',
        load: 81,
        radio: { kind: 'tetra', dbm: -72 },
        doorsOk: true,
        axles: [1, 2, 3],
        heating: 20,
        $version: 11,
      },
    },
  }),
  twin('tram-02', {
    lastActivityTime: '2026-04-09T23:59:59.000Z',
    version: 7,
    tags: { depot: 'harbour', line: 7, driver: 'Lena', kit: { series: 'gamma', year: 2021 } },
    properties: {
      desired: { heating: 40, profile: 'winter', $version: 2 },
      reported: {
        soft: '5.1.8',
        load: 35,
        radio: { kind: 'gsm', dbm: -50 },
        doorsOk: false,
        heating: 20,
        $version: 6,
      },
    },
  }),
  twin('tram-03', {
    status: 'disabled',
    statusReason: 'axle check',
    statusUpdateTime: '2026-04-08T12:00:00.000Z',
    version: 3,
    tags: { depot: 'meadow', line: '7' },
    properties: {
      desired: { heating: 40, $version: 1 },
      reported: { soft: '5.2.0', load: 4, doorsOk: true, $version: 3 },
    },
  }),
]

function twin(deviceId: string, members: Partial<FleetTwin>): FleetTwin {
  return {
    deviceId,
    status: 'enabled',
    statusUpdateTime: never,
    connectionState: 'Disconnected',
    lastActivityTime: never,
    cloudToDeviceMessageCount: 0,
    authenticationType: 'sas',
    x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
    modelId: '',
    version: 2,
    properties: { desired: { $version: 1 }, reported: { $version: 1 } },
    capabilities: { iotEdge: false },
    ...members,
  }
}
