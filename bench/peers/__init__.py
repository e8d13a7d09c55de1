"""The peers of serving: other databases behind the same framework, answering the same requests.

    rows.py       the rows of a generation as the peers keep them, made once
    sql.py        what is asked, in SQL that all of them take
    database.py   what a peer has to be able to do; its answers
    indexes.py    the indexes of the row stores
    sqlite.py, postgresql.py, duck.py, clickhouse.py   one database each
    server.py     the HTTP server of any of them, and of the constant answer
    contenders.py starts the servers, Inlink's too, and asks them

The peers have no rates and no other formats, do not validate, and take targets that are canonical
already: all that is in their favour. They find keys and charge them as Inlink does, by its code.
"""
