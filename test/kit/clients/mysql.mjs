// A MySQL client. The server speaks first: the client waits for its greeting.
import mysql from 'mysql2/promise';
import { report } from './report.mjs';

await report(async ({ host, port }) => {
  const client = await mysql.createConnection({ host, port, user: 'root', connectTimeout: 60_000 });
  await client.query('create database if not exists shop');
  await client.query('create or replace table shop.books (id int, title varchar(20))');
  await client.execute('insert into shop.books values (?, ?)', [1, 'a']);
  const [rows] = await client.query('select * from shop.books');
  await client.end();
  return { rows };
});
