-- What it saves: the bytes of the vectors before and after, and what the model costs.

CREATE TEMP VIEW saved AS
  SELECT position, name, max(length(vector)) AS per_vector, sum(length(vector)) AS total,
    coalesce((SELECT length(model) FROM whitening WHERE whitening.name = space.name), 0) AS model
  FROM space GROUP BY position;

SELECT printf('
SIZE  Bytes of one vector, of all of them, and of the model, which is there once for any number of rows.
      Saved: of the bytes of the vectors.

  %-16s %12s %14s %12s %9s', 'model', 'per vector', 'all vectors', 'model', 'saved');
SELECT printf('  %-16s %,12d %,14d %,12d %7.1f %%', name, per_vector, total, model,
  100.0 - 100.0 * total / (SELECT total FROM saved WHERE position = 0))
FROM saved ORDER BY position;
