-- Search without a scan: an index over the column, with the model of the last section, in step with the table by itself.

DROP TRIGGER apply;
INSERT INTO whitening SELECT 'search', model FROM whitening JOIN best USING (name);
CREATE VIRTUAL TABLE item_search USING whiten_index(content = item, column = vector, model = search);

SELECT printf('
INDEX  The same search with an index, which holds %d bytes a row and follows every INSERT, UPDATE and DELETE:
       CREATE VIRTUAL TABLE item_search USING whiten_index(content = item, column = vector, model = search);
       SELECT rowid, similarity FROM item_search(:query) LIMIT 3;
', (whiten_index_info('item_search') ->> 'bytes') / (whiten_index_info('item_search') ->> 'rows'));
SELECT printf('  %4d %6.3f  %s', rowid, similarity, (SELECT iif(length(text) > 90, substr(text, 1, 89) || '…', text) FROM item WHERE id = s.rowid))
FROM item_search((SELECT vector FROM query)) AS s LIMIT 3;
