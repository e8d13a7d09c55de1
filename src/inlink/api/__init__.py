"""The Backlinks API v1.0, its successor's paths, and the proof of links, over HTTP.

A request goes one way: ``app`` (HTTP; ``routing`` finds its path) -> ``service`` (format, key,
parameters, generation, charge) -> ``commands`` (what is answered, by ``live``, ``days``, ``tasks``
and ``proof``) -> ``formats`` (bytes). ``requests`` and ``answers`` of `inlink.contract` are the one
description of what every command takes and gives: requests are validated by it, and ``openapi`` is
made from it. `inlink.exports` writes the files of download-all-backlinks and hands them out.
"""
