/** JOB_FINISH lines as LSF 10.1 writes them, about 1 KB each, with doubled quotes and some UTF-8: the same for the same job number. */

import { seeded } from './seeded.ts'

/** One record, newline included. */
export function lsfLine(job: number): string {
  const random = seeded(job * 2_654_435_761 + 1)
  for (let warm = 0; warm < 4; warm++) random()
  const below = (limit: number): number => Math.floor(random() * limit)
  const submit = 1_700_000_000 + job * 3
  const start = submit + 5 + below(3000)
  const end = start + 60 + below(80_000)
  const user = `user${below(400)}`
  const slots = 1 + below(4)
  const host = `"node${1000 + below(900)}.cluster.example"`
  const hosts = `${slots} ${Array.from({ length: slots }, () => host).join(' ')}`
  const isFailed = below(8) === 0
  const home = `/home/${user}/projects/${below(20) === 0 ? 'größe-μ' : 'p'}${below(60)}`
  const name = below(3) === 0 ? `sweep_${below(99)}[${1 + below(50)}]` : `case_${below(9999)}`
  const command = `#!/bin/bash;#BSUB -J ""${name}"";module load tool/${below(9)}.${below(9)};mpirun -np ${slots} /apps/tool-${below(40)}/bin/solve --in ""${home}/in_${below(5000)}.h5"" --title ""run ${below(999)}, ${below(25) === 0 ? 'Müller' : 'plain'}""${' --set k=v'.repeat(below(18))}`
  const usage = `${below(1e9) / 1e4} ${below(1e6) / 1e4} ${below(1e7)} 0 -1 0 0 ${below(1e6)} ${below(50)} 0 ${below(1e5)} ${below(1e4)} -1 0 0 0 ${below(1e5)} ${below(1e4)} -1`
  const resources = `select[type == local] order[r15s:pg] rusage[mem=${1024 * (1 + below(64))}.00] span[hosts=1] `
  const request = `rusage[mem=${1024 * (1 + below(64))}] span[hosts=1]`
  return (
    `"JOB_FINISH" "10.1" ${end} ${job} ${20_000 + below(400)} 33816595 ${slots} ${submit} 0 0 ${start} "${user}" "queue${below(12)}" "${request}" "" "" "login${below(6)}" "${home}" "/dev/null" "out.%J" "err.%J" "${submit}.${job}" 0 ${hosts} ` +
    `${isFailed ? 32 : 64} 60.0 "${name}" "${command}" ${usage} "" "proj${below(90)}" ${isFailed ? 256 * (1 + below(200)) : 0} ${slots} "" "" 0 ${below(1e7)} ${below(1e7)} "" "" "" "" 0 "" ${isFailed ? below(17) : 0} "" -1 "/${user}" "" "" "" -1 "/grp${below(9)}" "" 5136 "" ${start} "" "" ` +
    `2 1032 "0" 1033 "0" 0 86400 64 ${below(1e7)} "${resources}" "" -1 "" -1 0 "" 0 0 "" ${end - start} "${home}" 0 "" 0.000000 0.00 0.00 0.00 0.00 ${hosts} -1 0 0 0\n`
  )
}
