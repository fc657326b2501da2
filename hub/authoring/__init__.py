"""Labs that instructors make in the browser: drafts on disk, starters, previews, checks and releases.

An authored lab never enters the folder of shipped courses; it lies under ``data_dir/authored/COURSE``
(docs/decisions/0006) and joins its course's labs when it is released.
"""
