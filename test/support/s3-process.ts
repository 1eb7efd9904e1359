/**
 * The test S3 server as a process of its own, for end-to-end tests:
 *
 *     node test/support/s3-process.ts [PORT [FAULT_RATE [SEED [HOST]]]]
 *
 * Port 0 (default) is any free one. FAULT_RATE (0 to 1, default 0) is the share of requests that go wrong, SEED decides which and
 * how. HOST is the address it listens at (default 127.0.0.1). Prints the endpoint in one line when it listens; the bucket is `archive`; any credentials will do. Objects are in
 * memory and go with the process. Ends on SIGTERM.
 */
import { type Fault, type S3Request, s3Server } from './s3-server.ts'
import { seeded } from './seeded.ts'

const [port = 0, faultRate = 0, seed = 1] = process.argv.slice(2, 5).map(Number)

const writeFaults: Fault[] = [
  'lost-response',
  'lost-request',
  'error-after',
  'error-before',
  'conflict',
  { slowMs: 200 },
]
const readFaults: Fault[] = ['lost-response', 'error-before', 'cut-body', { slowMs: 200 }]

const random = seeded(seed)
const server = s3Server({ fault })
const { endpoint, close } = await server.start(port, process.argv[5])
process.stdout.write(`${endpoint}\n`)
process.once('SIGTERM', () => {
  close().catch((error: unknown) => {
    throw error
  })
})

function fault({ operation }: S3Request): Fault | undefined {
  if (random() >= faultRate) return undefined
  const faults = operation === 'put' || operation === 'delete' ? writeFaults : readFaults
  return faults[Math.floor(random() * faults.length)]
}
