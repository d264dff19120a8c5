"""The API of most Django projects: a ModelViewSet of Django REST framework over the same table, paged by number. Nobody
is asked for a key, no request is counted, and no consents, lists or segments are shown."""
