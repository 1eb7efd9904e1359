/**
 * The parts of prom-client that are used. Its index also loads its default metrics, and OpenTelemetry with them: a hundred files, 20 ms of
 * every command's start, for what nobody asks for.
 */

import { createRequire } from 'node:module'
import type * as prometheus from 'prom-client'

const load = createRequire(import.meta.url)

export const Counter = load('prom-client/lib/counter.js') as typeof prometheus.Counter
export const Gauge = load('prom-client/lib/gauge.js') as typeof prometheus.Gauge
export const Histogram = load('prom-client/lib/histogram.js') as typeof prometheus.Histogram
export const Registry = load('prom-client/lib/registry.js') as typeof prometheus.Registry
