-- What the subscriber writes. `gleaner_stream` and `gleaner_source` say how far it is, in the same transactions as the rows.

create table if not exists gleaner_stream (
  root text primary key,
  epoch text not null,
  seq bigint not null,
  id text not null
);

-- [0, loaded) of each source is in `jobs`, without a hole.
create table if not exists gleaner_source (
  root text,
  source text,
  loaded bigint not null,
  primary key (root, source)
);

-- One row per finished job: JOB_FINISH of LSF. For another batch system change the generated columns, and the type in gleaner_load.
create table if not exists jobs (
  root text,
  source text,
  start bigint,
  "end" bigint not null,
  revised boolean not null default false,
  time timestamptz,
  fields jsonb not null,
  job_id text generated always as (fields->>'jobId') stored,
  array_index text generated always as (nullif(fields->>'idx', '0')) stored,
  user_name text generated always as (fields->>'userName') stored,
  queue text generated always as (fields->>'queue') stored,
  submit_time timestamptz generated always as (to_timestamp(nullif((fields->>'submitTime')::float8, 0))) stored,
  start_time timestamptz generated always as (to_timestamp(nullif((fields->>'startTime')::float8, 0))) stored,
  end_time timestamptz generated always as (to_timestamp((fields->>'eventTime')::float8)) stored,
  primary key (root, source, start)
);
create index if not exists jobs_time on jobs (time);
create index if not exists jobs_user on jobs (user_name, time);

-- Records that could not be parsed; their bytes are in the archive: gleaner cat SOURCE --offset START --length END-START.
create table if not exists malformed (
  root text,
  source text,
  start bigint,
  "end" bigint not null,
  error text not null,
  primary key (root, source, start)
);

-- Entries as the stream or `gleaner replay` gives them, and [source, loaded] pairs.
create or replace function gleaner_load(of_root text, entries jsonb, positions jsonb) returns void language sql as $$
  insert into jobs (root, source, start, "end", time, fields)
    select of_root, source, start, "end", nullif(time, '')::timestamptz, fields
    from jsonb_to_recordset(entries) as e (source text, start bigint, "end" bigint, kind text, type text, time text, error text, fields jsonb)
    where kind = 'record' and type = 'JOB_FINISH' and error = ''
    on conflict do nothing;
  insert into malformed
    select of_root, source, start, "end", error
    from jsonb_to_recordset(entries) as e (source text, start bigint, "end" bigint, kind text, error text)
    where kind = 'record' and error <> ''
    on conflict do nothing;
  update jobs set revised = true
    from jsonb_to_recordset(entries) as e (source text, start bigint, "end" bigint, kind text)
    where e.kind = 'revision' and jobs.root = of_root and jobs.source = e.source and jobs.start < e."end" and jobs."end" > e.start;
  insert into gleaner_source
    select of_root, pair->>0, (pair->>1)::bigint from jsonb_array_elements(positions) as pair
    on conflict (root, source) do update set loaded = excluded.loaded;
$$;

create or replace function gleaner_at(of_root text, at_epoch text, at_seq text, at_id text) returns void language sql as $$
  insert into gleaner_stream values (of_root, at_epoch, at_seq::bigint, at_id)
    on conflict (root) do update set epoch = excluded.epoch, seq = excluded.seq, id = excluded.id;
$$;
