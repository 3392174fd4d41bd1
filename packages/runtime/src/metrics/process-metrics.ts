import { roleNames } from '../config/role-names.ts'
import { gauge, knownGauge } from './declare.ts'

/** What a process says of itself. */
export const processMetrics = {
  muster_build_info: gauge('The version of this process; always 1', { version: { boundedBy: 'one in each process' } }),
  muster_role_info: knownGauge('A role of this process; always 1', { role: roleNames }),
  muster_certificate_expiry_timestamp_seconds: knownGauge(
    'When the certificate of the TLS listeners ends, in seconds since 1970',
    {},
  ),
  muster_clock_offset_seconds: knownGauge('How far the clock of this machine is ahead of the time of the hub', {}),
  muster_clock_error_seconds: knownGauge('By how much the time of the hub may be wrong in this process', {}),
}
