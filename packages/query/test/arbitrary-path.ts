import fc from 'fast-check'
import { key } from './arbitrary-twin.ts'
import { writtenStep } from './facts.ts'

const step = fc.oneof(
  { weight: 12, arbitrary: key.map(writtenStep) },
  { weight: 1, arbitrary: fc.constantFrom('[0]', '[1]', '[4294967296]', '.$version', "['\\u0000']") },
)

const members = [
  'deviceId',
  'DEVICES.status',
  'statusReason',
  'connectionState',
  'x509Thumbprint',
  'x509Thumbprint.primaryThumbprint',
  'cloudToDeviceMessageCount',
  'lastActivityTime',
  'statusUpdateTime',
  'tags',
  'properties',
  'properties.reported',
  "properties['desired.$version']",
  'properties.Desired.$version',
  'unheardOf.member',
]

const section = fc.constantFrom('tags', 'TAGS', 'properties.desired', 'properties.reported')

/** Paths that twins have or could have, and some that none can have. */
export const arbitraryPath: fc.Arbitrary<string> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...members) },
  { weight: 12, arbitrary: fc.tuple(section, step).map((parts) => parts.join('')) },
  {
    weight: 5,
    arbitrary: fc.tuple(section, fc.array(step, { maxLength: 4 })).map(([first, steps]) => first + steps.join('')),
  },
)
