"""What the REST APIs of all services share, in modules named as Django REST framework's are."""
