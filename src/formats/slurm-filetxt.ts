/**
 * A record of Slurm's jobcomp/filetxt: one line of `Key=value`, nothing quoted, in a fixed order:
 *
 *     JobId= UserId= GroupId= Name= JobState= Partition= TimeLimit= StartTime= EndTime= NodeList= NodeCnt= ProcCnt= WorkDir=
 *     ReservationName= Tres= Account= QOS= WcKey= Cluster= SubmitTime= EligibleTime= ... ExitCode=
 *
 * (`Procs=`, `Gres=` and an end after any key from NodeList on in older versions.) `Name` and `WorkDir` are users' texts: they may hold
 * blanks, and even ` JobState=`. So the line is cut at the run of keys from JobState to NodeList, whose values have a form, and at the
 * last ` ReservationName=`. A line in which that run stands twice is malformed, since one of them was made up (or two records
 * stand on one line): neither is believed.
 */

const run = / JobState=([A-Z_]{1,40}) Partition=(\S*) TimeLimit=(\S*) StartTime=(\S*) EndTime=(\S*) NodeList=/g

/** The fields, and the code of what is wrong or ''. */
export function readFiletxt(text: string): { fields: Record<string, string>; error: string } {
  const fields: Record<string, string> = {}
  const line = text.trimEnd()
  const runs = [...line.matchAll(run)]
  const middle = runs[0]
  const name = line.indexOf(' Name=')
  if (middle === undefined || name < 0 || middle.index < name) {
    readWords(line.slice(0, name < 0 ? line.length : name), fields)
    return { fields, error: 'missing-key' }
  }
  readWords(line.slice(0, name), fields)
  fields['Name'] = line.slice(name + ' Name='.length, middle.index)
  const rest = line.slice(middle.index)
  const workDir = rest.indexOf(' WorkDir=')
  readWords(workDir < 0 ? rest : rest.slice(0, workDir), fields)
  if (workDir >= 0) readWorkDir(rest.slice(workDir + ' WorkDir='.length), fields)
  return { fields, error: runs.length > 1 ? 'ambiguous' : '' }
}

function readWorkDir(text: string, fields: Record<string, string>): void {
  const tail = text.lastIndexOf(' ReservationName=')
  fields['WorkDir'] = tail < 0 ? text : text.slice(0, tail)
  if (tail >= 0) readWords(text.slice(tail), fields)
}

/** `Key=value` words; one without a key goes on with the value before it. */
function readWords(text: string, fields: Record<string, string>): void {
  let key = ''
  for (const word of text.split(' ')) {
    const match = /^([A-Z][A-Za-z]{1,40})=/.exec(word)
    if (match) {
      key = match[1] as string
      fields[key] = word.slice(key.length + 1)
    } else if (key !== '' && word !== '') fields[key] += ` ${word}`
  }
}
