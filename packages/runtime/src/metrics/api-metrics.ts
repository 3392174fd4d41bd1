import { counter, gauge } from './declare.ts'
import { answerClasses } from './words.ts'

/** The service API. How long its requests take is the metric of the event `requestServed`. */
export const apiMetrics = {
  muster_requests_total: counter('Requests of the service API, by route and class of their status', {
    route: { boundedBy: 'the routes of the service API' },
    class: answerClasses,
  }),
  muster_requests_in_flight: gauge('Requests of the service API that this process has not answered yet', {}),
  muster_event_listeners: gauge('Streams of events of jobs that this process has open', {}),
  muster_job_events_told_total: counter('Events of jobs told to listeners, once for each listener', {}),
}
