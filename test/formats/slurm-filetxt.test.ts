import test from 'ava'
import { readFiletxt } from '../../src/formats/slurm-filetxt.ts'

const before = 'JobId=12 UserId=ann(1005) GroupId=domain users(513)'
const middle =
  'JobState=COMPLETED Partition=main TimeLimit=60 StartTime=2026-01-05T10:00:00 EndTime=2026-01-05T11:00:00 ' +
  'NodeList=n[1-2] NodeCnt=2 ProcCnt=8'
const after =
  'ReservationName= Tres=cpu=8,gres/gpu=2 Account=a QOS=q WcKey= Cluster=c SubmitTime=2026-01-05T09:00:00 ' +
  'EligibleTime=2026-01-05T09:00:00 ArrayJobId=10 ArrayTaskId=2 DerivedExitCode=0:0 ExitCode=1:0'
const line = (name: string, dir = '/w') => `${before} Name=${name} ${middle} WorkDir=${dir} ${after} `

test('every key has its value, and the blank at the end is none', (t) => {
  const { fields, error } = readFiletxt(line('job'))
  t.is(error, '')
  t.like(fields, {
    JobId: '12',
    UserId: 'ann(1005)',
    GroupId: 'domain users(513)',
    Name: 'job',
    NodeList: 'n[1-2]',
    ProcCnt: '8',
    WorkDir: '/w',
    ReservationName: '',
    Tres: 'cpu=8,gres/gpu=2',
    ArrayTaskId: '2',
    ExitCode: '1:0',
  })
})

const names = ['my job', 'a JobState=FAILED', 'a Name=b Partition=x', 'x=1 WorkDir=/evil NodeList=n ExitCode=0:0', '']
for (const name of names) {
  test(`a job may be called ${JSON.stringify(name)}`, (t) => {
    const { fields, error } = readFiletxt(line(name))
    t.is(error, '')
    t.like(fields, { Name: name, JobState: 'COMPLETED', Partition: 'main', WorkDir: '/w', ExitCode: '1:0' })
  })
}

test('a directory may have any name', (t) => {
  for (const dir of ['/my dir', '/a ReservationName=x Account=root ExitCode=9:9', '/a Name=b JobState=FAILED']) {
    const { fields, error } = readFiletxt(line('a', dir))
    t.is(error, '')
    t.like(fields, { Name: 'a', WorkDir: dir, Account: 'a', ExitCode: '1:0' })
  }
})

test('older versions end after the directory, or before it', (t) => {
  t.like(readFiletxt(`${before} Name=a ${middle} WorkDir=/my dir`), { error: '', fields: { WorkDir: '/my dir' } })
  t.like(readFiletxt(`${before} Name=a ${middle}`), { error: '', fields: { ProcCnt: '8' } })
})

test('a made-up run of keys, or two records on a line, are not believed', (t) => {
  t.is(readFiletxt(line(`a ${middle.replace('COMPLETED', 'FAILED')} WorkDir=/w`)).error, 'ambiguous')
  t.is(readFiletxt(line('a', `/w ${middle}`)).error, 'ambiguous')
  t.is(readFiletxt(`${before} Name=a ${middle} WorkDir=/${line('b')}`).error, 'ambiguous')
})

test('half a record is malformed, and keeps what could be read', (t) => {
  t.deepEqual(readFiletxt('JobId=12 UserId=ann(1005) Gro'), {
    fields: { JobId: '12', UserId: 'ann(1005) Gro' },
    error: 'missing-key',
  })
  t.is(readFiletxt(`${before} Name=a JobState=COMPL`).error, 'missing-key')
  t.is(readFiletxt(`${before} ${middle}`).error, 'missing-key')
})

test('a line of any length takes time in proportion to it', (t) => {
  for (const part of [' Name=', ' JobState=A Partition=', ' WorkDir=', ' ReservationName=', ' x', ' A=', '  '])
    t.truthy(readFiletxt(`JobId=1${part.repeat(200_000)} ${middle}`))
})
