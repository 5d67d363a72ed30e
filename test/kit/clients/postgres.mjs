// A PostgreSQL client: a table, rows with parameters, a transaction that is rolled back.
import pg from 'pg';
import { report } from './report.mjs';

await report(async ({ host, port }) => {
  const client = new pg.Client({ host, port, user: 'postgres', database: 'postgres', connectionTimeoutMillis: 60_000 });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('create temp table books (id int, title text)');
  await client.query('insert into books values ($1, $2), ($3, $4)', [1, 'a', 2, 'b']);
  await client.query('begin');
  await client.query('delete from books');
  await client.query('rollback');
  const { rows } = await client.query('select id, title from books order by id');
  const { rows: version } = await client.query('show server_version');
  await client.end();
  return { rows, version: version[0].server_version };
});
