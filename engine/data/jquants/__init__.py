"""J-Quants (JPX's data service for private investors), API v2.

    client    the official client, every request of it paced, checked and retried in one place
    tables    what a table of the vendor is: its calls, and the types of its columns
    endpoints which call fills which table, its columns in ours, the day from which a row may be used
    parts     what was fetched, one Parquet file per table and date, complete or absent; parts -> RawTables
    pull      network -> parts; resumes, updates, sees revisions and factors corrected in older days

Splits. A part keeps prices as quoted on the day and that day's factor, never the vendor's adjusted
columns, which the vendor rewrites back to the beginning at every split. So a day with a factor of 0.5
changes no earlier row: our cleaning applies factors forward. When the vendor corrects a factor that is
stored already, exactly the part of that day is replaced; the tables then have another digest and become
a new snapshot, and the old one stays readable.

The vendor's terms: data are for your own use, and are to be deleted when the subscription ends.
"""
